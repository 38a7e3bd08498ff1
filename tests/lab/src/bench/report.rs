//! What was measured against which budget: a table for people, one JSON line for programs.

use super::BenchError;
use super::measured::Measured;
use serde::Serialize;
use std::fmt;
use std::time::Duration;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    Met,
    NotMet,
    /// No budget: a yardstick, or a figure that explains another.
    Told,
}

impl Verdict {
    pub fn of(is_met: impl FnOnce() -> bool) -> Self {
        if is_met() { Self::Met } else { Self::NotMet }
    }
}

#[derive(Debug, Clone, Serialize)]
pub struct Line {
    pub what: String,
    pub budget: String,
    pub measured: String,
    /// To the yardstick of its part.
    pub ratio: Option<f64>,
    pub verdict: Verdict,
}

#[derive(Debug, Clone, Default, Serialize)]
pub struct Report {
    pub lines: Vec<Line>,
}

const EXECUTABLE_BYTES: u64 = 10_000_000;

impl Report {
    /// A figure without a budget.
    pub fn tell(&mut self, what: impl Into<String>, measured: impl Into<String>, ratio: Option<f64>) {
        self.push(what, "", measured, ratio, Verdict::Told);
    }

    pub fn push(
        &mut self,
        what: impl Into<String>,
        budget: impl Into<String>,
        measured: impl Into<String>,
        ratio: Option<f64>,
        verdict: Verdict,
    ) {
        let line = Line { what: what.into(), budget: budget.into(), measured: measured.into(), ratio, verdict };
        self.lines.push(line);
    }

    /// The agent's program as it lies on disk.
    pub(super) fn add_executable(&mut self) -> Result<(), BenchError> {
        let bytes = std::fs::metadata(crate::world::find("rollcall-agent")?)?.len();
        let verdict = Verdict::of(|| bytes <= EXECUTABLE_BYTES);
        self.push("size of the agent's program", "≤ 10 MB", format!("{:.2} MB", number(bytes) / 1e6), None, verdict);
        Ok(())
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "| what | budget | measured | ratio | |\n|---|---|---|---|---|")?;
        for line in &self.lines {
            let ratio = line.ratio.map(|ratio| format!("{ratio:.2} ×")).unwrap_or_default();
            let verdict = match line.verdict {
                Verdict::Met => "met",
                Verdict::NotMet => "not met",
                Verdict::Told => "",
            };
            writeln!(f, "| {} | {} | {} | {ratio} | {verdict} |", line.what, line.budget, line.measured)?;
        }
        Ok(())
    }
}

/// For people to read.
pub fn shown(run: &Measured) -> String {
    let (wall, processor) = (run.wall.as_secs_f64(), run.processor.as_secs_f64());
    format!("{wall:.2} s, CPU {processor:.2} s, peak {:.1} MiB", number(run.peak_kib) / 1024.0)
}

pub fn ratio(one: Duration, other: Duration) -> f64 {
    // Of microseconds too: never zero, and never so large that it is the divisor of what was measured.
    one.as_secs_f64() / other.as_secs_f64().max(1e-9)
}

#[expect(clippy::cast_precision_loss, reason = "a figure for people to read")]
pub fn number(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_says_what_is_met_and_what_is_not() {
        let mut report = Report::default();
        report.push("size", "≤ 2", "3", Some(1.5), Verdict::of(|| false));
        report.tell("ldapsearch", "1 s", None);

        let table = report.to_string();

        assert!(table.contains("| size | ≤ 2 | 3 | 1.50 × | not met |"), "{table}");
        assert!(table.contains("| ldapsearch |  | 1 s |  |  |"), "{table}");
    }

    #[test]
    fn microseconds_have_a_ratio_like_seconds() {
        let half = ratio(Duration::from_micros(18), Duration::from_micros(36));

        assert!((half - 0.5).abs() < 1e-6, "{half}");
    }
}
