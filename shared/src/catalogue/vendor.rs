//! What can be wrong with matching, vendors and mail (RC-5xxx and RC-6xxx).

faults! {
    MATCH_AMBIGUOUS = "RC-5001", "More than one match", "Several records could stand for this person.",
        ["Pick one in the queue."];
    MAIL_SHARED = "RC-5002", "E-mail shared by two people", "Two people of the directory have the same e-mail address.",
        ["Choose who the record belongs to."];
    CATEGORY_BLANK = "RC-5003", "Entry has no category or type", "A blank category is a candidate for a human, never no match.",
        ["Set the category and link."];
    LINK_BROKEN = "RC-5004", "Linked record is gone", "The vendor no longer has the record this person was linked to.",
        ["Link another record, or create one."];
    LINK_TAKEN = "RC-5005", "Record linked to another person", "A record can stand for one person only.",
        ["Choose the owner."];
    CREATE_CAP = "RC-5006", "Creation limit of this run reached", "More records would be created than one run may create.",
        ["Preview and approve the rest."];
    VENDOR_CREDENTIALS = "RC-6001", "Vendor refuses the credentials", "The connection's key or password is not accepted any more.",
        ["Set a new key; nothing is retried meanwhile."];
    VENDOR_RIGHT = "RC-6002", "Vendor right missing", "The connection's account may not make this call.",
        ["Grant the right that is named."];
    VENDOR_RATE = "RC-6003", "Vendor limits the rate", "Too many calls in a short time.",
        ["Nothing: the next try is scheduled."];
    VENDOR_DOWN = "RC-6004", "Vendor unavailable", "The vendor does not answer.",
        ["Nothing: the next try is scheduled and nothing is lost."];
    VENDOR_ITEM = "RC-6005", "Vendor refused one record", "The vendor does not accept this record as it is.",
        ["Mend the field that is named."];
    MAIL_RELAY = "RC-6101", "Mail relay refused", "The relay did not take the mail.",
        ["Read the relay's answer and mend its settings."];
    MAIL_ADDRESS = "RC-6102", "Recipient address invalid", "The address cannot be one.",
        ["Mend it in the directory."];
    MAIL_UNKNOWN = "RC-6103", "Mail outcome unknown", "The mail may have arrived: it was on its way to the relay when the line or the program broke.",
        ["Look for it in the relay's log, and try the job again only if it is not there."];
    MAIL_MISSING = "RC-6104", "No e-mail address in the directory", "The person has no address a mail could go to.",
        ["Fill it in the directory; the welcome mail follows by itself."];
}
