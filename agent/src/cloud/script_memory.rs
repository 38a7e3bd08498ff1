//! Remembers what a proxy script (PAC) said. A script is fetched over the network, which may never answer: whoever sends a
//! request waits for it once, and goes on with the last answer while it is asked anew.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

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

    /// What the script last said of the URL, without waiting; where that is old, it is asked anew beside.
    pub fn recall(&self, script: &str, url: &str) -> ScriptAnswer {
        self.begin(script, url, Instant::now()).0.unwrap_or(ScriptAnswer::None)
    }

    /// The same, and the first time what the script says now. Whoever lets go of this waits no longer, and nothing waits
    /// for the script then.
    pub async fn answer(&self, script: &str, url: &str) -> ScriptAnswer {
        self.answer_at(script, url, Instant::now(), PATIENCE).await
    }

    async fn answer_at(&self, script: &str, url: &str, now: Instant, patience: Duration) -> ScriptAnswer {
        let (last, asked) = self.begin(script, url, now);
        let (None, Some(told)) = (&last, asked) else { return last.unwrap_or(ScriptAnswer::None) };
        let answer = tokio::time::timeout(patience, told).await.ok().and_then(Result::ok).unwrap_or(ScriptAnswer::None);
        // Whoever comes next waits no more: what is said later is remembered all the same.
        if let Some(known) = self.lock().as_mut().filter(|known| known.script == script) {
            known.answer.get_or_insert(answer.clone());
        }
        answer
    }

    /// What is known, and the question if it has to be asked.
    fn begin(
        &self,
        script: &str,
        url: &str,
        now: Instant,
    ) -> (Option<ScriptAnswer>, Option<oneshot::Receiver<ScriptAnswer>>) {
        let mut known = self.lock();
        let before = known.take().filter(|known| known.script == script);
        let (is_fresh, last) = match &before {
            Some(known) => (now.duration_since(known.asked_at) < HOLDS, known.answer.clone()),
            None => (false, None),
        };
        if is_fresh && last.is_some() {
            *known = before;
            return (last, None);
        }
        *known = Some(Known { script: script.to_owned(), asked_at: now, answer: last.clone() });
        drop(known);
        (last, Some(self.ask_beside(script, url)))
    }

    /// In a thread of its own, which ends with the system's own timeouts.
    fn ask_beside(&self, script: &str, url: &str) -> oneshot::Receiver<ScriptAnswer> {
        let (tell, told) = oneshot::channel();
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

    const SCRIPT: &str = "http://wpad/proxy.pac";
    const URL: &str = "https://cloud.example";

    #[tokio::test]
    async fn a_script_that_never_answers_is_waited_for_once() {
        let (memory, now) = (ScriptMemory::new(never), Instant::now());
        let ask = async |now, patience| memory.answer_at(SCRIPT, URL, now, patience).await;

        assert_eq!(ask(now, Duration::from_millis(10)).await, ScriptAnswer::None);
        let began = Instant::now();
        assert_eq!(ask(now, Duration::from_hours(1)).await, ScriptAnswer::None);
        assert_eq!(ask(now + HOLDS, Duration::from_hours(1)).await, ScriptAnswer::None, "asked anew beside");

        assert!(began.elapsed() < Duration::from_mins(10));
    }

    /// The runtime of the service has one thread, which must hear the order to stop.
    #[test]
    fn neither_a_stop_nor_the_end_of_the_program_waits_for_a_script() {
        let began = Instant::now();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();

        let waited = runtime.block_on(async {
            let memory = ScriptMemory::new(never);
            let first = memory.answer_at(SCRIPT, URL, Instant::now(), Duration::from_hours(1));
            tokio::time::timeout(Duration::from_millis(10), first).await
        });
        drop(runtime);

        assert!(waited.is_err());
        assert!(began.elapsed() < Duration::from_mins(10));
    }

    #[tokio::test]
    async fn what_was_said_is_recalled_without_waiting() {
        let memory = ScriptMemory::new(at_once);
        memory.answer(SCRIPT, URL).await;
        assert_eq!(memory.recall(SCRIPT, URL), ScriptAnswer::Directly);

        assert_eq!(ScriptMemory::new(never).recall(SCRIPT, URL), ScriptAnswer::None);
    }

    #[tokio::test]
    async fn another_script_is_another_question() {
        let (memory, now) = (ScriptMemory::new(at_once), Instant::now());

        for script in [SCRIPT, "http://wpad/other.pac"] {
            let answer = memory.answer_at(script, URL, now, Duration::from_hours(1)).await;
            assert_eq!(answer, ScriptAnswer::Directly);
        }
    }
}
