//! The attributes the directory knows: their spelling, how their values compare, and where their values come from.

use std::{collections::HashMap, sync::OnceLock};

/// How values compare (MS-ADTS 3.1.1.2.2.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Syntax {
    /// Text without regard to case; times and booleans too.
    Text,
    Number,
    Bytes,
    Sid,
    Name,
}

/// Where the values of an attribute come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    Stored,
    DistinguishedName,
    Guid,
    /// The value of the relative name, whatever its kind.
    RelativeName,
    /// The value of the relative name, for objects whose relative name is of this kind.
    RelativeNameOf(&'static str),
    Member,
    MemberOf,
    Manager,
    DirectReports,
    UsnCreated,
    UsnChanged,
    WhenCreated,
    WhenChanged,
    IsDeleted,
    WellKnownObjects,
}

macro_rules! attributes {
    ($($variant:ident = $name:literal $syntax:ident $source:expr;)*) => {
        /// One attribute type, named as Active Directory's schema names it.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Attr { $($variant,)* }

        impl Attr {
            pub const ALL: &'static [Attr] = &[$(Attr::$variant,)*];

            pub fn name(self) -> &'static str {
                match self { $(Attr::$variant => $name,)* }
            }

            pub fn syntax(self) -> Syntax {
                match self { $(Attr::$variant => Syntax::$syntax,)* }
            }

            pub fn source(self) -> Source {
                use Source::*;
                match self { $(Attr::$variant => $source,)* }
            }
        }
    };
}

attributes! {
    ObjectClass = "objectClass" Text Stored;
    CommonName = "cn" Text RelativeNameOf("CN");
    OrganizationalUnit = "ou" Text RelativeNameOf("OU");
    DomainComponent = "dc" Text RelativeNameOf("DC");
    Surname = "sn" Text Stored;
    Country = "c" Text Stored;
    Locality = "l" Text Stored;
    State = "st" Text Stored;
    Title = "title" Text Stored;
    Description = "description" Text Stored;
    PostalCode = "postalCode" Text Stored;
    Office = "physicalDeliveryOfficeName" Text Stored;
    TelephoneNumber = "telephoneNumber" Text Stored;
    GivenName = "givenName" Text Stored;
    Initials = "initials" Text Stored;
    DistinguishedName = "distinguishedName" Name DistinguishedName;
    InstanceType = "instanceType" Number Stored;
    WhenCreated = "whenCreated" Text WhenCreated;
    WhenChanged = "whenChanged" Text WhenChanged;
    DisplayName = "displayName" Text Stored;
    UsnCreated = "uSNCreated" Number UsnCreated;
    MemberOf = "memberOf" Name MemberOf;
    Member = "member" Name Member;
    UsnChanged = "uSNChanged" Number UsnChanged;
    CountryName = "co" Text Stored;
    Department = "department" Text Stored;
    Company = "company" Text Stored;
    ProxyAddresses = "proxyAddresses" Text Stored;
    StreetAddress = "streetAddress" Text Stored;
    DirectReports = "directReports" Name DirectReports;
    Name = "name" Text RelativeName;
    ObjectGuid = "objectGUID" Bytes Guid;
    UserAccountControl = "userAccountControl" Number Stored;
    BadPasswordCount = "badPwdCount" Number Stored;
    LastLogon = "lastLogon" Number Stored;
    PasswordLastSet = "pwdLastSet" Number Stored;
    PrimaryGroupId = "primaryGroupID" Number Stored;
    ObjectSid = "objectSid" Sid Stored;
    AdminCount = "adminCount" Number Stored;
    AccountExpires = "accountExpires" Number Stored;
    LogonCount = "logonCount" Number Stored;
    LockoutTime = "lockoutTime" Number Stored;
    AccountName = "sAMAccountName" Text Stored;
    AccountType = "sAMAccountType" Number Stored;
    GroupType = "groupType" Number Stored;
    PrincipalName = "userPrincipalName" Text Stored;
    ServicePrincipalName = "servicePrincipalName" Text Stored;
    ObjectCategory = "objectCategory" Name Stored;
    IsCritical = "isCriticalSystemObject" Text Stored;
    LastLogonTimestamp = "lastLogonTimestamp" Number Stored;
    Mail = "mail" Text Stored;
    Manager = "manager" Name Manager;
    Mobile = "mobile" Text Stored;
    HomePhone = "homePhone" Text Stored;
    IpPhone = "ipPhone" Text Stored;
    Info = "info" Text Stored;
    WebPage = "wWWHomePage" Text Stored;
    EmployeeId = "employeeID" Text Stored;
    EmployeeNumber = "employeeNumber" Text Stored;
    EmployeeType = "employeeType" Text Stored;
    ThumbnailPhoto = "thumbnailPhoto" Bytes Stored;
    MailNickname = "mailNickname" Text Stored;
    HomeDirectory = "homeDirectory" Text Stored;
    DnsHostName = "dNSHostName" Text Stored;
    OperatingSystem = "operatingSystem" Text Stored;
    InvocationId = "invocationId" Bytes Stored;
    IsDeleted = "isDeleted" Text IsDeleted;
    LastKnownParent = "lastKnownParent" Name Stored;
    WellKnownObjects = "wellKnownObjects" Text WellKnownObjects;
    LockoutDuration = "lockoutDuration" Number Stored;
    MaxPasswordAge = "maxPwdAge" Number Stored;
    PasswordExpiry = "msDS-UserPasswordExpiryTimeComputed" Number Stored;
    ComputedControl = "msDS-User-Account-Control-Computed" Number Stored;
}

impl Attr {
    /// Attribute names are compared without regard to case (RFC 4512 2.5).
    pub fn find(name: &str) -> Option<Self> {
        static BY_NAME: OnceLock<HashMap<String, Attr>> = OnceLock::new();
        let names =
            BY_NAME.get_or_init(|| Attr::ALL.iter().map(|attr| (attr.name().to_ascii_lowercase(), *attr)).collect());
        names.get(&name.to_ascii_lowercase()).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found_in_any_case() {
        assert_eq!(Attr::find("SAMACCOUNTNAME"), Some(Attr::AccountName));
        assert_eq!(Attr::find("noSuchAttribute"), None);
    }
}
