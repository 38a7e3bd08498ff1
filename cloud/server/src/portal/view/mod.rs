//! The small things every page is made of: pills, times, troubles, steps, charts, and the frame around them.

pub mod frame;
pub mod tone;
pub mod moment;
pub mod trouble;
pub mod step;
pub mod pager;
pub mod field_error;
pub mod chart;

pub use chart::DayBars;
pub use field_error::FieldError;
pub use frame::{Frame, Notice, Section};
pub use moment::Moment;
pub use pager::Pager;
pub use step::{Step, StepState};
pub use tone::{Pill, Tone};
pub use trouble::{Link, Trouble};
