//! What can be wrong between an agent and the cloud (RC-3xxx).

faults! {
    CLOUD_NAME = "RC-3001", "Cloud's name does not resolve", "Name resolution knows no address for the cloud.",
        ["Check the name server and the address in the enrolment token."], event 400;
    CLOUD_TLS = "RC-3002", "TLS to the cloud intercepted or untrusted", "The cloud's certificate is not trusted here, as happens behind an inspecting proxy.",
        ["Except the cloud's address from inspection.", "Or name the proxy's CA in cloud.ca_file."], event 400;
    PROXY_REFUSED = "RC-3003", "Proxy refused", "The HTTP proxy did not let the agent through.",
        ["Check cloud.proxy and the proxy's rules.", "If it asks for a sign-in: set cloud.proxy_user and cloud.proxy_password_file.", "If it speaks TLS itself and is not trusted: set cloud.ca_file."], event 400;
    CLOUD_UNREACHABLE = "RC-3004", "Cloud not reachable", "The cloud does not answer, or answers that it is not available.",
        ["Nothing is lost: what was read waits in the spool.", "Check the way out on port 443."], event 400;
    CLOUD_ODD_ANSWER = "RC-3005", "Something else answers for the cloud", "An answer came that the cloud would not give, such as a proxy's page.",
        ["Check proxy and name resolution; the agent believed nothing of it."], event 400;
    TOKEN_REFUSED = "RC-3101", "Token expired, used, revoked or unknown", "An enrolment token works once, for a limited time, for one customer.",
        ["Make a new token on the customer's install page."], event 401;
    AGENT_REVOKED = "RC-3102", "Agent revoked", "An operator revoked this agent; it stopped reading and wiped its spool.",
        ["If that was not meant: enrol it again with a new token."], event 401;
    AGENT_CLONED = "RC-3103", "Two agents use one identity", "Two copies of one agent sent different batches: a cloned or restored machine.",
        ["If only a restored machine runs: let it go on, on the agent's page.", "If both run: retire the agent and enrol each machine with a new token."], event 410;
    SIGNATURE_REFUSED = "RC-3104", "Signature refused", "The cloud does not know this agent's key.",
        ["Enrol the agent again with a new token."], event 410;
    DESIRED_REFUSED = "RC-3105", "Instructions refused", "The agent refused a desired state: not signed by its cloud, older than the one in force, or of another domain.",
        ["Look for a proxy that changes traffic.", "The last valid instructions stay in force."], event 410;
    BATCH_POISONED = "RC-3106", "Batch set aside", "A batch was well signed but could not be read; nothing of it was applied.",
        ["Nothing: a full snapshot was ordered.", "If it happens again, send a bundle to support."], event 230;
}
