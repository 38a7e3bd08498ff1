//! What can be wrong with a request of the portal or the API (RC-7xxx).

faults! {
    INVALID = "RC-7001", "Input invalid", "A field is missing or holds something it cannot.",
        ["Mend the fields that are named."];
    CHANGED_MEANWHILE = "RC-7002", "Changed by somebody else meanwhile", "The object is not the one you looked at any more.",
        ["Look at the difference and decide again."];
    KEY_REUSED = "RC-7003", "Idempotency key reused with another body", "One key stands for one request.",
        ["Use a new key for a new request."];
    RATE_LIMITED = "RC-7004", "Too many requests", "More requests came than are served at once.",
        ["Wait as long as Retry-After says."];
    FORBIDDEN = "RC-7005", "Not allowed", "Your role does not include this.",
        ["Ask an owner or admin of your MSP."];
    STEP_UP = "RC-7006", "Fresh sign-in needed", "This act asks for a recent sign-in.",
        ["Sign in again and repeat."];
    PUBLIC_URL = "RC-7007", "Public address does not match", "The address of this request is not the configured public address.",
        ["Set ROLLCALL_PUBLIC_URL to the address people use."];
    UNAUTHENTICATED = "RC-7008", "Not signed in", "The request carries no valid session or API key.",
        ["Sign in, or send a valid key as Authorization: Bearer rck_…."];
    NOT_FOUND = "RC-7009", "Not found", "Nothing with this address exists for you.",
        ["Check the address; it may have been removed."];
    LINK_SPENT = "RC-7010", "Sign-in link used or expired", "A sign-in link works once, for a limited time.",
        ["Ask for a new one: rollcall init on the server, or an owner in the settings."];
    SIGNIN_REFUSED = "RC-7011", "Sign-in refused", "E-mail address and password do not belong together, or too many were tried.",
        ["Try again; after several failures wait a few minutes."];
    CROSS_SITE = "RC-7012", "Request from another site refused", "A form of another site tried to act in your name.",
        ["Open the page in the portal itself and repeat."];
}
