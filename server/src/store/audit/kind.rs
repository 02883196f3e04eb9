//! What can be recorded, as one table.
//!
//! A [`Kind`] is stored by its number and shown by its `AuditEvent` codes. To
//! add one: a variant, and a row in [`KINDS`] with a number never used before.
//!
//! Source: FHIR R4 valueset-audit-event-type, valueset-audit-event-sub-type;
//! IHE Basic Audit Log Patterns 1.1.3; DICOM PS3.15 A.5

/// What was done, or asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// One resource was read.
    Read,
    /// One version of a resource was read.
    Vread,
    /// A search answered.
    Search,
    /// A history answered.
    History,
    /// A resource was made.
    Create,
    /// A resource was replaced.
    Update,
    /// A resource was changed in part.
    Patch,
    /// A resource was deleted.
    Delete,
    /// An operation (`$everything`, …) answered.
    Operation,
    /// A file came in.
    Import,
    /// Records left in bulk or as a document.
    Export,
    /// A person signed in.
    SignIn,
    /// A sign-in did not succeed.
    SignInFailed,
    /// A person signed out.
    SignOut,
    /// A token was issued.
    TokenIssued,
    /// A token or grant was revoked.
    TokenRevoked,
    /// A sharing Consent was filed: someone was let in.
    Grant,
    /// A sharing Consent ended.
    Revoke,
    /// A request was refused.
    Refusal,
    /// An operator did something at the command line or in administration.
    Operator,
    /// The log was opened after an unclean end, and its torn tail set aside.
    Repaired,
}

/// How a kind is stored and shown.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// The kind.
    pub kind: Kind,
    /// Its number in records and rows. Never reused.
    pub number: u8,
    /// `AuditEvent.type`.
    pub code: Coding,
    /// `AuditEvent.subtype`.
    pub subtype: Coding,
    /// `AuditEvent.action`: C, R, U, D or E.
    pub action: &'static str,
    /// The IHE profile's shape.
    pub pattern: Pattern,
}

/// A code and the system it belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Coding {
    /// System URI.
    pub system: &'static str,
    /// Code.
    pub code: &'static str,
    /// What it is called there.
    pub display: &'static str,
}

/// Which of IHE's patterns an event follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pattern {
    /// `IHE.BasicAudit.Read`, `PatientRead`.
    Read,
    /// `IHE.BasicAudit.Query`, `PatientQuery`.
    Query,
    /// `IHE.BasicAudit.Create`, `PatientCreate`.
    Create,
    /// `IHE.BasicAudit.Update`, `PatientUpdate`.
    Update,
    /// `IHE.BasicAudit.Delete`, `PatientDelete`.
    Delete,
    /// `IHE.BasicAudit.AuthZconsent`.
    Authorization,
    /// `IHE.BasicAudit.PrivacyDisclosure.Source`.
    Disclosure,
    /// None of IHE's: FHIR's own rules alone.
    Plain,
}

/// Every kind, in the order of its number.
pub const KINDS: &[Row] = &[
    row(Kind::Read, 1, REST, rest("read"), "R", Pattern::Read),
    row(Kind::Vread, 2, REST, rest("vread"), "R", Pattern::Read),
    row(Kind::Search, 3, REST, rest("search"), "E", Pattern::Query),
    row(Kind::History, 4, REST, rest("history"), "E", Pattern::Plain),
    row(Kind::Create, 5, REST, rest("create"), "C", Pattern::Create),
    row(Kind::Update, 6, REST, rest("update"), "U", Pattern::Update),
    row(Kind::Patch, 7, REST, rest("patch"), "U", Pattern::Update),
    row(Kind::Delete, 8, REST, rest("delete"), "D", Pattern::Delete),
    row(Kind::Operation, 9, REST, rest("operation"), "E", Pattern::Plain),
    row(Kind::Import, 10, dicom("110107", "Import"), rest("transaction"), "C", Pattern::Plain),
    row(Kind::Export, 11, dicom("110106", "Export"), DISCLOSE, "R", Pattern::Disclosure),
    row(Kind::SignIn, 12, SIGN, dicom("110122", "Login"), "E", Pattern::Plain),
    row(Kind::SignInFailed, 13, SIGN, dicom("110122", "Login"), "E", Pattern::Plain),
    row(Kind::SignOut, 14, SIGN, dicom("110123", "Logout"), "E", Pattern::Plain),
    row(Kind::TokenIssued, 15, SIGN, TOKEN, "E", Pattern::Plain),
    row(Kind::TokenRevoked, 16, ALERT, dicom("110137", "User Security Attributes Changed"), "D", Pattern::Plain),
    row(Kind::Grant, 17, ALERT, CONSENTED, "E", Pattern::Authorization),
    row(Kind::Revoke, 18, ALERT, CONSENTED, "E", Pattern::Authorization),
    row(Kind::Refusal, 19, ALERT, CONSENTED, "E", Pattern::Authorization),
    row(Kind::Operator, 20, ALERT, dicom("110129", "Security Configuration"), "E", Pattern::Plain),
    row(Kind::Repaired, 21, ALERT, dicom("110134", "Audit Recording Started"), "E", Pattern::Plain),
];

impl Kind {
    /// How this kind is stored and shown.
    pub fn row(self) -> &'static Row {
        // The table is in the order of the variants, which a test keeps.
        &KINDS[self as usize]
    }

    /// Its number in records and rows.
    pub fn number(self) -> u8 {
        self.row().number
    }

    /// The kind of this number.
    pub fn numbered(number: u8) -> Option<Self> {
        KINDS.iter().find(|row| row.number == number).map(|row| row.kind)
    }
}

const fn row(kind: Kind, number: u8, code: Coding, subtype: Coding, action: &'static str, pattern: Pattern) -> Row {
    Row { kind, number, code, subtype, action, pattern }
}

const fn dicom(code: &'static str, display: &'static str) -> Coding {
    Coding { system: "http://dicom.nema.org/resources/ontology/DCM", code, display }
}

const fn rest(code: &'static str) -> Coding {
    Coding { system: "http://hl7.org/fhir/restful-interaction", code, display: code }
}

const REST: Coding = Coding {
    system: "http://terminology.hl7.org/CodeSystem/audit-event-type",
    code: "rest",
    display: "RESTful Operation",
};
const SIGN: Coding = dicom("110114", "User Authentication");
const ALERT: Coding = dicom("110113", "Security Alert");
const DISCLOSE: Coding = Coding {
    system: "http://terminology.hl7.org/CodeSystem/iso-21089-lifecycle",
    code: "disclose",
    display: "Disclose Record Lifecycle Event",
};
const TOKEN: Coding = Coding { system: "urn:ihe:event-type-code", code: "ITI-71", display: "Get Access Token" };
const CONSENTED: Coding = Coding {
    system: "https://profiles.ihe.net/ITI/BALP/CodeSystem/AuthZsubType",
    code: "AuthZ-Consent",
    display: "Authorization Decision using Roles and Consent",
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_in_the_order_of_the_variants_and_numbers_are_unique() {
        for (at, row) in KINDS.iter().enumerate() {
            assert_eq!(row.kind as usize, at, "{:?}", row.kind);
            assert_eq!(Kind::numbered(row.number), Some(row.kind));
            assert!(["C", "R", "U", "D", "E"].contains(&row.action));
        }
        assert_eq!(Kind::Repaired as usize + 1, KINDS.len(), "the last variant has the last row");
        assert_eq!(Kind::numbered(0), None);
    }
}
