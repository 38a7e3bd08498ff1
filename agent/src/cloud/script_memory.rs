//! Remembers what a proxy script (PAC) said. A script is fetched over the network, which may never answer: whoever sends a
//! request waits for it once, and goes on with the last answer while it is asked anew.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc};
use std::time::{Duration, Instant};

use crate::platform::system_proxy::ScriptAnswer;

/// Longest wait for the first answer.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long what a script said holds: it is asked before every connection otherwise.
const HOLDS: Duration = Duration::from_mins(5);

/// Asks the script at an address about a URL; may take as long as the network lets it.
pub type Ask = fn(script: &str, url: &str) -> ScriptAnswer;

#[derive(Debug, Clone)]
pub struct ScriptMemory {
    ask: Ask,
    known: Arc<Mutex<Option<Known>>>,
}

/// What is known of one script.
#[derive(Debug, Clone)]
struct Known {
    script: String,
    asked_at: Instant,
    /// `None` until the script, or our patience, has answered.
    answer: Option<ScriptAnswer>,
}

impl ScriptMemory {
    pub fn new(ask: Ask) -> Self {
        Self { ask, known: Arc::default() }
    }

    /// What the script says of the URL.
    pub fn answer(&self, script: &str, url: &str) -> ScriptAnswer {
        self.answer_at(script, url, Instant::now(), PATIENCE)
    }

    fn answer_at(&self, script: &str, url: &str, now: Instant, patience: Duration) -> ScriptAnswer {
        let before = self.lock().clone().filter(|known| known.script == script);
        let (is_fresh, last) = match before {
            Some(known) => (now.duration_since(known.asked_at) < HOLDS, known.answer),
            None => (false, None),
        };
        if let (true, Some(answer)) = (is_fresh, &last) {
            return answer.clone();
        }
        *self.lock() = Some(Known { script: script.to_owned(), asked_at: now, answer: last.clone() });
        let told = self.ask_beside(script, url);
        last.unwrap_or_else(|| {
            let answer = told.recv_timeout(patience).unwrap_or(ScriptAnswer::None);
            // Whoever comes next waits no more: what is said later is remembered all the same.
            if let Some(known) = self.lock().as_mut().filter(|known| known.script == script) {
                known.answer.get_or_insert(answer.clone());
            }
            answer
        })
    }

    /// In a thread of its own, which ends with the system's own timeouts.
    fn ask_beside(&self, script: &str, url: &str) -> mpsc::Receiver<ScriptAnswer> {
        let (tell, told) = mpsc::channel();
        let (memory, script, url) = (self.clone(), script.to_owned(), url.to_owned());
        std::thread::spawn(move || {
            let answer = (memory.ask)(&script, &url);
            if let Some(known) = memory.lock().as_mut().filter(|known| known.script == script) {
                known.answer = Some(answer.clone());
            }
            drop(tell.send(answer));
        });
        told
    }

    fn lock(&self) -> MutexGuard<'_, Option<Known>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn never(_: &str, _: &str) -> ScriptAnswer {
        std::thread::sleep(Duration::from_hours(1));
        ScriptAnswer::Directly
    }

    fn at_once(_: &str, _: &str) -> ScriptAnswer {
        ScriptAnswer::Directly
    }

    #[test]
    fn a_script_that_never_answers_is_waited_for_once() {
        let (memory, now) = (ScriptMemory::new(never), Instant::now());
        let ask = |now, patience| memory.answer_at("http://wpad/proxy.pac", "https://cloud.example", now, patience);

        assert_eq!(ask(now, Duration::from_millis(10)), ScriptAnswer::None);
        let began = Instant::now();
        assert_eq!(ask(now, Duration::from_hours(1)), ScriptAnswer::None);
        assert_eq!(ask(now + HOLDS, Duration::from_hours(1)), ScriptAnswer::None, "asked anew beside");

        assert!(began.elapsed() < Duration::from_mins(10));
    }

    #[test]
    fn another_script_is_another_question() {
        let (memory, now) = (ScriptMemory::new(at_once), Instant::now());

        for script in ["http://wpad/proxy.pac", "http://wpad/other.pac"] {
            let answer = memory.answer_at(script, "https://cloud.example", now, Duration::from_hours(1));
            assert_eq!(answer, ScriptAnswer::Directly);
        }
    }
}
