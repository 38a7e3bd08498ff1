//! The small things every page is made of: pills, times, troubles, steps, charts, and the frame around them.

pub mod frame;
pub mod tone;
pub mod moment;
pub mod trouble;
pub mod step;
pub mod pager;
pub mod field_error;
pub mod chart;
pub mod hex;

pub use chart::DayBars;
pub use field_error::FieldError;
pub use frame::{Frame, Notice, Section};
pub use moment::Moment;
pub use pager::Pager;
pub use step::{Step, StepState};
pub use tone::{Pill, Tone};
pub use trouble::{Link, Trouble};

/// A count with its thousands set apart: `9,207`.
pub fn grouped(count: impl std::borrow::Borrow<i64>) -> String {
    let count = *count.borrow();
    let digits = count.unsigned_abs().to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index) % 3 == 0 {
            text.push(',');
        }
        text.push(digit);
    }
    if count < 0 { format!("−{text}") } else { text }
}

#[cfg(test)]
mod tests {
    use super::grouped;

    #[test]
    fn thousands_are_set_apart() {
        assert_eq!([0, 999, 1_000, 1_234_567, -4_200].map(grouped), ["0", "999", "1,000", "1,234,567", "−4,200"]);
    }
}
