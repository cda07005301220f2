//! Side by side, in turns.
//!
//! A machine that others use too is slower at one moment than at the next. So the contenders take turns, half a
//! millisecond each, many times over, and a ratio compares what was measured next to each other. The usual
//! harnesses finish with one benchmark before they begin the next, and would compare two moments.

use std::{
    fmt::Write,
    hint::black_box,
    time::{Duration, Instant},
};

/// Several ways to do one job.
pub struct Contest {
    title: String,
    contenders: Vec<Contender>,
}

struct Contender {
    name: String,
    run: Box<dyn FnMut()>,
}

/// How long a contender runs before it is the next one's turn: short, so that the other programs of the
/// machine rarely get their turn within it.
const TURN: Duration = Duration::from_micros(500);

impl Contest {
    /// A contest that nobody has entered.
    pub fn new(title: impl Into<String>) -> Self {
        Self {
            title: title.into(),
            contenders: Vec::new(),
        }
    }

    /// One more contender; the others are compared with the first one.
    #[must_use]
    pub fn enter<T>(
        mut self,
        name: impl Into<String>,
        mut job: impl FnMut() -> T + 'static,
    ) -> Self {
        let run = Box::new(move || {
            black_box(job());
        });
        let name = name.into();
        self.contenders.push(Contender { name, run });
        self
    }

    /// What it is about.
    pub fn title(&self) -> &str {
        &self.title
    }

    /// Only the contenders whose name contains `part`.
    pub fn only(mut self, part: &str) -> Self {
        self.contenders.retain(|one| one.name.contains(part));
        self
    }

    /// A table of medians, after each contender had `turns` turns.
    pub fn time(&mut self, turns: usize) -> String {
        let mut nanoseconds = vec![Vec::with_capacity(turns); self.contenders.len()];
        let batches: Vec<u32> = self.contenders.iter_mut().map(Contender::batch).collect();
        for _ in 0..turns {
            for ((one, batch), times) in self
                .contenders
                .iter_mut()
                .zip(&batches)
                .zip(&mut nanoseconds)
            {
                times.push(one.time(*batch));
            }
        }
        let limit = nanoseconds.first().cloned().unwrap_or_default();
        self.table(["ns", "x"], |place| {
            let times = &nanoseconds[place];
            let ratios = times.iter().zip(&limit).map(|(time, limit)| time / limit);
            [
                format!("{:.0}", median(times.iter().copied())),
                format!("{:.2}", median(ratios)),
            ]
        })
    }

    /// A table of what `count` counts while each contender does its job once.
    pub fn count<const N: usize>(
        &mut self,
        of: [&str; N],
        count: impl Fn(&mut dyn FnMut()) -> [u64; N],
    ) -> String {
        let counts: Vec<[u64; N]> = self
            .contenders
            .iter_mut()
            .map(|one| {
                (one.run)();
                count(&mut one.run)
            })
            .collect();
        self.table(of, |place| counts[place].map(|count| count.to_string()))
    }

    fn table<const N: usize>(
        &self,
        columns: [&str; N],
        row: impl Fn(usize) -> [String; N],
    ) -> String {
        let mut table = format!(
            "\n### {}\n\n| | {} |\n|---|{}\n",
            self.title,
            columns.join(" | "),
            "--:|".repeat(N)
        );
        for (place, one) in self.contenders.iter().enumerate() {
            let _ = writeln!(table, "| {} | {} |", one.name, row(place).join(" | "));
        }
        table
    }
}

impl Contender {
    /// How many jobs fill a turn.
    fn batch(&mut self) -> u32 {
        let mut batch = 1;
        loop {
            let turn = Duration::from_nanos((self.time(batch) * f64::from(batch)) as u64);
            if turn >= TURN || batch >= 1 << 24 {
                return batch;
            }
            batch *= 2;
        }
    }

    /// Nanoseconds for each of `batch` jobs.
    #[allow(clippy::disallowed_methods, reason = "a benchmark measures time")]
    fn time(&mut self, batch: u32) -> f64 {
        let start = Instant::now();
        for _ in 0..batch {
            (self.run)();
        }
        start.elapsed().as_nanos() as f64 / f64::from(batch)
    }
}

/// The one in the middle.
pub fn median(values: impl IntoIterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.into_iter().collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}
