//! The pause before another attempt.

use std::time::Duration;

/// The pause before an attempt that follows `attempt` others ([`Action::BackOff`](super::Action::BackOff)): 50 to
/// 101 ms, as `random` has it, doubled up to three times. Processes that failed together do not try again together.
pub fn back_off(attempt: u32, random: u8) -> Duration {
    let millis = 50 + u64::from(random) / 5;
    Duration::from_millis(millis << attempt.clamp(1, 4).saturating_sub(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pause_doubles_three_times() {
        for (attempt, shortest, longest) in [
            (0, 50, 101),
            (1, 50, 101),
            (2, 100, 202),
            (3, 200, 404),
            (4, 400, 808),
            (5, 400, 808),
            (u32::MAX, 400, 808),
        ] {
            let millis = [0, u8::MAX].map(|random| back_off(attempt, random).as_millis());
            assert_eq!(millis, [shortest, longest], "{attempt}");
        }
    }
}
