//! What can be wrong between an agent and its directory (RC-2xxx).

faults! {
    NO_DC_FOUND = "RC-2101", "Domain controller's name does not resolve", "Name resolution knows no address for the domain controller.",
        ["Check _ldap._tcp.dc._msdcs and the name server this machine uses.", "Or name an address in ldap.address."], event 300;
    DC_UNREACHABLE = "RC-2102", "Domain controller not reachable", "Nothing answers on the port: refused, filtered, or the machine is off.",
        ["On the domain controller: see that AD DS runs (Get-Service NTDS).", "From here: Test-NetConnection DC -Port 636.", "Allow the port in the firewalls between."], event 300;
    CERT_UNTRUSTED = "RC-2103", "LDAPS certificate not trusted", "The domain controller's certificate was issued by an authority this machine does not know.",
        ["Import the issuing CA into Local Computer, Trusted Root Certification Authorities.", "Or name its file in ldap.ca_file."], event 300;
    CERT_NAME = "RC-2104", "LDAPS certificate has another name", "The certificate is not for the name the agent connects to.",
        ["Use the domain controller's full name in ldap.host, never an address."], event 300;
    CERT_EXPIRED = "RC-2105", "LDAPS certificate expired or not yet valid", "The domain controller shows a certificate outside its time.",
        ["Renew the certificate on the domain controller.", "Check this machine's clock."], event 300;
    SIGNING_REQUIRED = "RC-2106", "Domain controller requires signing", "It refuses a sign-in over a connection that is not protected.",
        ["Leave ldap.transport out, so that every protected way is tried, or set it to \"sealed\", \"ldaps\" or \"starttls\"."], event 301;
    CHANNEL_BINDING_REQUIRED = "RC-2107", "Domain controller requires channel binding", "It refuses this kind of sign-in over TLS without a channel binding.",
        ["Use a simple bind over TLS, or Kerberos with sealing on port 389."], event 301;
    TLS_REFUSED = "RC-2108", "Secure connection refused", "The server does not offer StartTLS, or ended the TLS handshake.",
        ["Give the domain controller a certificate, or use the other of LDAPS and StartTLS."], event 300;
    DC_TIMEOUT = "RC-2109", "Domain controller does not answer in time", "It accepted the connection and then said nothing.",
        ["Check its load and the network between.", "Nothing was removed; the agent tries again by itself."], event 300;
    NO_KEY_SERVER = "RC-2110", "No Kerberos key server answers", "The domain's key servers (port 88) cannot be found or reached, so there is no ticket to sign in with.",
        ["Allow port 88 (TCP and UDP) to the domain controllers.", "On Linux: see that /etc/krb5.conf or DNS (_kerberos._tcp) names the realm's key servers."], event 300;
    SEALING_REFUSED = "RC-2111", "Domain controller does not offer Kerberos sealing", "It does not grant a protection that the agent insists on, or does not take Kerberos at all.",
        ["Use LDAPS or StartTLS: set ldap.transport, or leave it out so that every way is tried.", "Check that no proxy stands between the agent and port 389."], event 301;
    FOREIGN_CONTROLLER = "RC-2112", "Domain controller named outside its domain", "DNS names a domain controller that lies outside the domain of ldap.domain; DNS can be forged, so it was not contacted.",
        ["If it is yours: name it in ldap.host; what stands in the file is believed.", "If you do not know it: look at the records _ldap._tcp.dc._msdcs of the domain, and at who answers for them."], event 300;
    BIND_NOT_NOW = "RC-2113", "Domain controller cannot take a sign-in now", "It is busy, starting or shutting down, and judged neither name nor password.",
        ["Nothing, if it passes: other controllers are tried, and the agent tries again by itself.", "If it stays: look at the domain controller's event log."], event 301;
    CERT_EXPIRING = "RC-2121", "LDAPS certificate expires soon", "The domain controller's certificate ends within 30 days; then nothing can be read over TLS.",
        ["Renew the certificate on the domain controller before that day."], event 300;
    BIND_REFUSED = "RC-2201", "Sign-in refused: name or password", "The directory does not accept the name and password (52e, 525).",
        ["Both forms work: user@domain and the distinguished name.", "Set the password again; the agent does not retry before that or the next cycle, so that it locks no account."], event 301;
    BIND_LOCKED = "RC-2202", "Sign-in refused: account locked", "The directory has locked the agent's account (775).",
        ["Unlock the account, and find out who else uses its password."], event 301;
    BIND_DISABLED = "RC-2203", "Sign-in refused: account disabled or expired", "The agent's account may not sign in (533, 701, 530, 531).",
        ["Enable the account and check its expiry, hours and workstations."], event 301;
    BIND_PASSWORD_EXPIRED = "RC-2204", "Sign-in refused: password expired", "The account's password has expired or must be changed (532, 773).",
        ["Set a password that does not expire, or use a gMSA."], event 301;
    TOO_POWERFUL = "RC-2205", "Account has administrator rights", "The account the agent reads with could also write.",
        ["Use an account that is a member of Domain Users only."], event 301;
    BIND_ANONYMOUS = "RC-2206", "Sign-in was anonymous", "The directory took the sign-in without knowing who it is.",
        ["Set a password; an empty one is never sent."], event 301;
    KERBEROS_REFUSED = "RC-2207", "Kerberos sign-in refused", "The domain does not know the account, or the key in the keytab is not its current one.",
        ["Check ldap.principal.", "Export the keytab again: a new password of the account makes every older keytab worthless.", "On Windows: check the account of the computer (Test-ComputerSecureChannel) or gMSA (Test-ADServiceAccount).", "The agent does not retry before that or the next cycle, so that it locks no account."], event 301;
    KERBEROS_CLOCK = "RC-2208", "Clock too far off for Kerberos", "This machine and the domain controller differ by more than five minutes, and Kerberos then trusts no ticket.",
        ["Set this machine's clock, or let it follow the domain's time (w32tm /resync on Windows, chrony on Linux)."], event 301;
    SERVICE_UNKNOWN = "RC-2209", "Domain does not know this domain controller's name", "There is no Kerberos service of that name: the host is not the name under which the domain knows the controller.",
        ["Use the domain controller's full name in ldap.host, as in its computer account.", "Where the domain's name is not the end of the host's name, set ldap.realm.", "On the domain: setspn -L DC shows the names it has."], event 301;
    NO_TICKET = "RC-2210", "No Kerberos ticket and no key", "The ticket cache or keytab is missing or holds nothing for this account.",
        ["Check ldap.keytab_file or ldap.ticket_cache and ldap.principal.", "On Windows: the service must run as a domain account, gMSA or a computer account of the domain."], event 301;
    TICKET_EXPIRED = "RC-2211", "Kerberos ticket has expired", "Nobody renewed the ticket in the cache in time.",
        ["Renew it (kinit), or give the agent a keytab, with which it gets tickets itself."], event 301;
    KERBEROS_MISSING = "RC-2212", "Kerberos is not installed", "The agent found no Kerberos library on this machine.",
        ["Install it (Debian: apt-get install libgssapi-krb5-2).", "Or sign in with a password over LDAPS."], event 301;
    BIND_NAME_FORM = "RC-2221", "Sign-in name has an unusual form", "Only user@domain and a distinguished name are understood by every directory; DOMAIN\\user and a bare name are not.",
        ["Write ldap.bind_user as user@domain.example or as CN=user,OU=Service,DC=domain,DC=example."], event 301;
    OUTSIDE_DOMAIN = "RC-2301", "Base is outside this domain", "What was asked for belongs to another domain (result 10), which is no empty answer.",
        ["Choose the selection again from the tree; its people stay until then.", "For another domain enrol an agent of its own."], event 310;
    OTHER_DOMAIN = "RC-2302", "Another domain answers", "The domain that answers is not the one this agent is pinned to.",
        ["Check name resolution and VPN; nothing was sent.", "For a new domain enrol another agent."], event 300;
    READ_INCOMPLETE = "RC-2303", "Directory read incomplete", "A search did not end cleanly, so the whole reading was discarded.",
        ["Nothing was removed; the agent tries again by itself.", "If it stays: the detail names the page and the cause."], event 230;
    ATTRIBUTE_LOST = "RC-2304", "An attribute became unreadable", "One attribute vanished from many people at once, which is a lost permission and no change.",
        ["Give the read permission back; the values stay as they were.", "If the values were cleared on purpose: say so on the agent's page."], event 210;
    FEW_MAILS = "RC-2305", "Many people have no e-mail", "The mail attribute is empty for a large share of the selection.",
        ["Fill it in the directory, or use the user principal name."], event 210;
    NOT_A_DIRECTORY = "RC-2306", "Not an Active Directory server", "The server lacks what every domain controller offers, or is still synchronising.",
        ["Check host and port in ldap.host and ldap.port."], event 300;
    GROUP_UNREADABLE = "RC-2307", "Members of a group cannot be read", "A group and its people contradict each other about who is in it, or neither of them says anything any more: a permission, not an empty group.",
        ["Allow the account to read member and memberOf (the property set Group Membership; Pre-Windows 2000 Compatible Access gives it).", "Nobody was removed.", "If a group was emptied on purpose and the people who were in it are in no other: take it out of the import, and they leave."], event 230;
    MALFORMED_ANSWER = "RC-2308", "Server does not speak LDAP correctly", "An answer was malformed, too long or nested too deep, and was not passed on.",
        ["Check what listens on that port.", "Nothing was removed."], event 230;
    SEAL_BROKEN = "RC-2309", "Sealed connection was disturbed", "A buffer was changed, lost, repeated or cut off on its way, so the whole reading was discarded.",
        ["Nothing was removed; the agent tries again by itself.", "If it stays: something between agent and domain controller interferes with port 389."], event 230;
    PEOPLE_UNREADABLE = "RC-2310", "People cannot be read", "Something without which nobody can be judged is hidden from the agent's account: of one person by an own access list, of very many by a read right that is missing.",
        ["The detail says which attribute, and the objectGUID of the first who hides it.", "Allow the agent's account to read it, or move the account out of the selection; those people stay as they were until then.", "Of very many: give the account Read All Properties (userAccountControl is in the property set Account Restrictions; membership in Pre-Windows 2000 Compatible Access gives it)."], event 230;
    GROUP_UNSEEN = "RC-2311", "A group inside a followed group cannot be seen", "People who would leave are in a group that is hidden from the agent's account, and it may lie inside the selected one; they stay.",
        ["Allow the agent's account to see that group: List Contents on its OU, Read on the group.", "If the group is nobody's concern, take these people out of it, or switch inner groups off in the import."], event 230;
    GROUP_UNLISTED = "RC-2312", "A group does not say what it is", "A group hides its type or its SID from the agent's account, so nobody can say whether it may be chosen; it is not listed.",
        ["Allow the agent's account to read groupType and objectSid of that group; the detail has its objectGUID.", "Nothing to do if nobody wants to choose it."], event 230;
    OTHER_ACCOUNT = "RC-2313", "People are not seen by another account", "The agent signed in as another account than the one that had read these people, as after a change of its settings or when Kerberos fails; it may be allowed to see less, so nobody leaves without a human.",
        ["If Kerberos failed: mend what check says of it, and the people are seen again.", "Allow the account that signs in now to read what the one before could.", "If they are really gone: approve the removals that wait."], event 230;
    OU_UNREADABLE = "RC-2321", "Nothing can be read below the domain's head", "The account signs in but sees no OU, so it would see nobody.",
        ["Give the account List Contents and Read All Properties below the domain's head; Domain Users have both unless somebody took them away."], event 310;
}
