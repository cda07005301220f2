//! What happens to the lines while visitors click.

use std::{convert::Infallible, time::Duration};

use tokio::time::sleep;

use crate::line::Line;

/// How long a server is away when it is restarted.
const DOWNTIME: Duration = Duration::from_millis(700);
/// How long a line is slow.
const SLOW: Duration = Duration::from_millis(1_500);
/// What everything takes longer on a slow line.
const LATENCY: Duration = Duration::from_millis(80);
/// How long all is well in between.
const FAULT_INTERVAL: Duration = Duration::from_millis(800);

/// Breaks one line after the other: it gets slow, its connections are reset, the server behind it is restarted.
pub(crate) async fn break_lines(lines: &[&Line]) -> Infallible {
    loop {
        for line in lines {
            sleep(FAULT_INTERVAL).await;
            line.slow_down(LATENCY);
            sleep(SLOW).await;
            line.slow_down(Duration::ZERO);
            sleep(FAULT_INTERVAL).await;
            line.reset();
            sleep(FAULT_INTERVAL).await;
            line.shut_down();
            sleep(DOWNTIME).await;
            line.mend();
        }
    }
}
