//! What a page says after an action. The address carries only a word of this list; no text of anybody's is echoed.

use super::view::{Notice, Tone};

pub fn find(word: &str) -> Option<Notice> {
    let (tone, title, detail) = match word {
        "sync" => (Tone::Good, "Sync requested", "The agent starts within about a second."),
        "paused" => (Tone::Good, "Paused", "The agent only reports that it is alive until somebody resumes."),
        "resumed" => (Tone::Good, "Resumed", "The agent reads again by its schedule."),
        "import-saved" => (Tone::Good, "Import saved", "The agent reads with the new choice at once."),
        "import-ended" => {
            (Tone::Good, "Import ended", "Its people leave with the next reading, under the usual guard.")
        }
        "structure" => (Tone::Good, "Refresh requested", "Units and groups appear here within seconds."),
        "approved" => (Tone::Good, "Removals approved", "Exactly the people of the list were removed."),
        "rejected" => (Tone::Good, "Removals rejected", "These people stay."),
        "rejected-paused" => {
            (Tone::Good, "Removals rejected and import paused", "Nothing is read until somebody resumes.")
        }
        "token-revoked" => (Tone::Good, "Token revoked", "It can no longer enrol an agent."),
        "agent-retired" => (Tone::Good, "Agent retired", "Its key is refused from now on."),
        "clearing-accepted" => (Tone::Good, "Accepted", "The agent reads again and takes the empty values over."),
        "agent-released" => (Tone::Good, "Agent released", "It may send again; the other copy must enrol anew."),
        "bundle" => (Tone::Good, "Bundle asked for", "It appears here when the agent has made and sent it."),
        "key-asked" => (Tone::Good, "New key requested", "The agent signs with it from its next reading on."),
        "key-revoked" => (Tone::Good, "API key revoked", "It is refused from now on."),
        "operator-disabled" => (Tone::Good, "Operator disabled", "All their sign-ins have ended."),
        "session-ended" => (Tone::Good, "Sign-in ended", ""),
        "customer-added" => (Tone::Good, "Customer added", "Now install the agent on one of its servers."),
        "rollout-paused" => (Tone::Good, "Update paused", "Nobody else is asked until somebody goes on."),
        "rollout-resumed" => (Tone::Good, "Update goes on", "Agents that went back try again, a day after they did."),
        "rollout-begun" => {
            (Tone::Good, "Update begins", "The first agents are asked within minutes, in the hours set below.")
        }
        "delay-set" => (Tone::Good, "Delay saved", "It concerns releases that have not begun."),
        "window-set" => (Tone::Good, "Hours saved", ""),
        "pinned" => (Tone::Good, "Version of this customer saved", "The agents hear of it within seconds."),
        "signed-out" => (Tone::Good, "You are signed out", ""),
        "no-agent" => (Tone::Warn, "Nothing to sync yet", "No active agent is installed at this customer."),
        "job-retried" => (Tone::Good, "Job put back in the queue", ""),
        _ => return None,
    };
    Some(Notice { tone, title, detail })
}
