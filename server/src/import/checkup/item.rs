//! What a check-up measures: one row an item, with every code that names it.
//!
//! To add an item: a row in [`ITEMS`] and a column in `super::COLUMNS`.
//!
//! Source: infant-checkups.md §4, §5, §7

/// One item of a check-up.
#[derive(Debug)]
pub(super) struct Item {
    /// Its JSON name in the feed.
    pub(super) property: &'static str,
    /// Its code in `{L}/CodeSystem/infant-checkup-item`.
    pub(super) code: &'static str,
    /// Its name in Japanese.
    pub(super) name: &'static str,
    /// Its LOINC code and display; test strips have none here, theirs are long and change.
    pub(super) loinc: Option<(&'static str, &'static str)>,
    /// How its value is read and told.
    pub(super) kind: Kind,
}

/// How a value is read and told.
#[derive(Debug)]
pub(super) enum Kind {
    /// A measure of the body.
    Body(Body),
    /// A number of teeth.
    Teeth,
    /// A urine test strip.
    Urine,
    /// Whether there is a finding.
    Finding,
}

/// What is particular to a measure of the body.
#[derive(Debug)]
pub(super) struct Body {
    /// Code and display in JP Core's body measurement system.
    pub(super) jp_core: Option<(&'static str, &'static str)>,
    /// Code of 17 digits in the ministry's system.
    pub(super) ministry: Option<&'static str>,
    /// Code and display in JP Core's category of body measurements.
    pub(super) category: (&'static str, &'static str),
    /// FHIR's own vital-signs profile, where there is one.
    pub(super) vital_signs: Option<&'static str>,
    /// UCUM unit.
    pub(super) unit: &'static str,
    /// What may stand after the number.
    pub(super) suffixes: &'static [&'static str],
    /// Outside of these it is a mistake.
    pub(super) limits: (&'static str, &'static str),
}

/// Height, from which Kaup is computed.
pub(super) const HEIGHT: &str = "height";
/// Weight, from which Kaup is computed.
pub(super) const WEIGHT: &str = "weight";
/// The Kaup index.
pub(super) const KAUP: &str = "kaup";

/// The number of teeth a mouth can hold.
pub(super) const TEETH_LIMITS: (&str, &str) = ("0", "32");

/// Every item, in the order of the feed.
pub(super) static ITEMS: [Item; 12] = [
    Item {
        property: HEIGHT,
        code: "height",
        name: "身長",
        loinc: Some(("8302-2", "Body height")),
        kind: Kind::Body(Body {
            jp_core: Some(("31000298", "身長")),
            ministry: Some("9N001000000000001"),
            category: ("height", "身長"),
            vital_signs: Some("bodyheight"),
            unit: "cm",
            suffixes: &["cm"],
            limits: ("30", "150"),
        }),
    },
    Item {
        property: WEIGHT,
        code: "weight",
        name: "体重",
        loinc: Some(("29463-7", "Body weight")),
        kind: Kind::Body(Body {
            jp_core: Some(("31000296", "体重")),
            ministry: Some("9N006000000000001"),
            category: ("weight", "体重"),
            vital_signs: Some("bodyweight"),
            unit: "kg",
            suffixes: &["kg", "g"],
            limits: ("0.3", "60"),
        }),
    },
    Item {
        property: "chest",
        code: "chest-circumference",
        name: "胸囲",
        loinc: None,
        kind: Kind::Body(Body {
            jp_core: Some(("31000299", "胸囲")),
            ministry: None,
            category: ("chest-circumference", "胸囲"),
            vital_signs: None,
            unit: "cm",
            suffixes: &["cm"],
            limits: ("20", "90"),
        }),
    },
    Item {
        property: "head",
        code: "head-circumference",
        name: "頭囲",
        loinc: Some(("9843-4", "Head Occipital-frontal circumference")),
        kind: Kind::Body(Body {
            jp_core: Some(("31006116", "頭囲")),
            ministry: None,
            category: ("head-circumference", "頭囲"),
            vital_signs: Some("headcircum"),
            unit: "cm",
            suffixes: &["cm"],
            limits: ("20", "65"),
        }),
    },
    Item {
        property: KAUP,
        code: "kaup-index",
        name: "カウプ指数",
        loinc: Some(("39156-5", "Body mass index (BMI) [Ratio]")),
        kind: Kind::Body(Body {
            jp_core: None,
            ministry: None,
            category: ("body-mass-index", "肥満度"),
            vital_signs: Some("bmi"),
            unit: "kg/m2",
            suffixes: &["kg/m2"],
            limits: ("8", "35"),
        }),
    },
    Item { property: "teeth", code: "erupted-teeth", name: "生歯数", loinc: None, kind: Kind::Teeth },
    Item { property: "caries", code: "caries-teeth", name: "虫歯数", loinc: None, kind: Kind::Teeth },
    Item {
        property: "urineProtein",
        code: "urine-protein",
        name: "尿蛋白",
        loinc: Some(("20454-5", "")),
        kind: Kind::Urine,
    },
    Item {
        property: "urineGlucose",
        code: "urine-glucose",
        name: "尿糖",
        loinc: Some(("25428-4", "")),
        kind: Kind::Urine,
    },
    Item {
        property: "urineBlood",
        code: "urine-blood",
        name: "尿潜血",
        loinc: Some(("5794-3", "")),
        kind: Kind::Urine,
    },
    Item {
        property: "urineLeukocytes",
        code: "urine-leukocytes",
        name: "尿白血球",
        loinc: Some(("5799-2", "")),
        kind: Kind::Urine,
    },
    Item { property: "hipFinding", code: "hip-finding", name: "股関節所見", loinc: None, kind: Kind::Finding },
];
