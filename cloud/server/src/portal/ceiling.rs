//! What the customer's own file keeps back, in words for the agent's page.

use rollcall_protocol::ceiling::Ceiling;

use super::view::grouped;

/// The local ceiling as the page shows it.
#[derive(Debug, Clone, Default)]
pub struct CeilingView {
    pub withheld: Vec<String>,
    pub places: Vec<PlaceLine>,
    /// How many people that leaves out, as a sentence; empty where nothing is known.
    pub effect: String,
}

#[derive(Debug, Clone)]
pub struct PlaceLine {
    pub place: String,
    /// Not found in the last reading: nobody joins or leaves until the file is mended.
    pub is_lost: bool,
}

impl CeilingView {
    pub fn of(told: Ceiling) -> Self {
        let was_read = told.people_left_out.is_some();
        let effect = match (told.never_read.is_empty(), told.people_left_out) {
            (true, _) => String::new(),
            (false, None) => "Their number is known after the next reading.".to_owned(),
            (false, Some(1)) => "1 person is left out by it.".to_owned(),
            (false, Some(people)) => {
                format!("{} people are left out by it.", grouped(i64::try_from(people).unwrap_or(i64::MAX)))
            }
        };
        let place = |told: rollcall_protocol::ceiling::NeverRead| PlaceLine {
            is_lost: was_read && told.guid.is_none(),
            place: told.place,
        };
        Self { withheld: told.withheld, places: told.never_read.into_iter().map(place).collect(), effect }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rollcall_protocol::ceiling::NeverRead;

    fn told(people_left_out: Option<u64>) -> Ceiling {
        let place = NeverRead { place: "OU=Board,DC=lab".into(), guid: None };
        Ceiling { withheld: vec!["mobile".into()], never_read: vec![place], people_left_out }
    }

    #[test]
    fn a_place_counts_as_lost_only_after_a_reading_looked_for_it() {
        assert!(!CeilingView::of(told(None)).places[0].is_lost);
        assert!(CeilingView::of(told(Some(0))).places[0].is_lost);
    }

    #[test]
    fn the_effect_is_a_sentence() {
        assert_eq!(CeilingView::of(told(Some(1))).effect, "1 person is left out by it.");
        assert_eq!(CeilingView::of(told(Some(1200))).effect, "1,200 people are left out by it.");
        assert_eq!(CeilingView::of(Ceiling::default()).effect, "");
    }
}
