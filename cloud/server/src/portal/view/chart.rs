//! Stacked bars of what changed per day, drawn as SVG by the server with the same numbers as a table.

use chrono::NaiveDate;

/// One day of runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Day {
    pub date: NaiveDate,
    pub added: u64,
    pub changed: u64,
    pub gone: u64,
    pub errors: u64,
}

impl Day {
    fn total(&self) -> u64 {
        self.added + self.changed + self.gone + self.errors
    }
}

/// A rectangle of the chart in its own units.
#[derive(Debug, Clone, PartialEq)]
pub struct Bar {
    pub x: f64,
    pub y: f64,
    pub width: f64,
    pub height: f64,
    pub class: &'static str,
}

#[derive(Debug, Clone)]
pub struct DayBars {
    pub days: Vec<Day>,
}

impl DayBars {
    pub const WIDTH: f64 = 336.0;
    pub const HEIGHT: f64 = 110.0;
    const GAP: f64 = 4.0;

    pub fn is_empty(&self) -> bool {
        self.days.iter().all(|day| day.total() == 0)
    }

    pub fn top(&self) -> u64 {
        self.days.iter().map(Day::total).max().unwrap_or(0).max(1)
    }

    pub fn bars(&self) -> Vec<Bar> {
        self.days.iter().enumerate().flat_map(|(index, day)| self.bars_of(index, day)).collect()
    }

    pub fn first(&self) -> String {
        self.days.first().map(|day| day.date.format("%-d %b").to_string()).unwrap_or_default()
    }

    pub fn last(&self) -> String {
        self.days.last().map(|day| day.date.format("%-d %b").to_string()).unwrap_or_default()
    }

    fn bars_of(&self, index: usize, day: &Day) -> Vec<Bar> {
        let slot = Self::WIDTH / as_units(self.days.len().max(1) as u64);
        let x = slot * as_units(index as u64) + Self::GAP / 2.0;
        let mut y = Self::HEIGHT;
        let parts = [(day.changed, "f-change"), (day.added, "f-add"), (day.gone, "f-gone"), (day.errors, "f-err")];
        let mut bars = Vec::new();
        for (count, class) in parts.into_iter().filter(|(count, _)| *count > 0) {
            // A single change beside thousands must still be seen.
            let height = (as_units(count) / as_units(self.top()) * (Self::HEIGHT - 6.0)).max(2.0);
            y -= height;
            bars.push(Bar { x: round(x), y: round(y), width: round(slot - Self::GAP), height: round(height), class });
        }
        bars
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts of people fit a pixel's precision many times over")]
fn as_units(count: u64) -> f64 {
    count as f64
}

fn round(value: f64) -> f64 {
    (value * 10.0).round() / 10.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_stack_upwards_from_the_ground_and_the_smallest_is_still_seen() {
        let date = NaiveDate::from_ymd_opt(2026, 11, 1).unwrap();
        let chart = DayBars { days: vec![Day { date, added: 1000, changed: 1, gone: 0, errors: 0 }] };

        let bars = chart.bars();

        assert_eq!(bars.len(), 2);
        assert!((bars[0].height - 2.0).abs() < f64::EPSILON);
        assert!((bars[0].y + bars[0].height - DayBars::HEIGHT).abs() < 0.2);
        assert!(bars[1].y < bars[0].y);
    }
}
