//! What each record number holds, as one table.
//!
//! To add a record: a row in [`LAYOUTS`]; to add a field: an item in its row,
//! at its place in the line.
//!
//! Source: domain/medications-jahis.md §2

/// One record number.
pub(super) struct Layout {
    pub(super) number: u16,
    pub(super) fields: &'static [Field],
}

/// One field.
pub(super) struct Field {
    /// How this program calls it.
    pub(super) key: &'static str,
    /// How the format calls it.
    pub(super) label: &'static str,
    pub(super) kind: Kind,
    /// Bytes in `Shift_JIS`.
    pub(super) max: usize,
    pub(super) required: Required,
    /// The codes it may have; empty if it is no code.
    pub(super) codes: &'static [&'static str],
}

/// What a field is made of.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// `9`
    Digits,
    /// `X`
    Half,
    /// `N`
    Any,
}

/// When a field must be there.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Required {
    No,
    /// In files made by a provider; patients' apps may leave it blank.
    FromProvider,
    Always,
}

/// The layout of a record number.
pub(super) fn of(number: u16) -> Option<&'static Layout> {
    LAYOUTS.iter().find(|layout| layout.number == number)
}

impl Field {
    const fn new(key: &'static str, label: &'static str, kind: Kind, max: usize) -> Self {
        Self { key, label, kind, max, required: Required::No, codes: &[] }
    }

    const fn must(mut self) -> Self {
        self.required = Required::Always;
        self
    }

    const fn must_from_provider(mut self) -> Self {
        self.required = Required::FromProvider;
        self
    }

    const fn of(mut self, codes: &'static [&'static str]) -> Self {
        self.codes = codes;
        self
    }
}

const fn nine(key: &'static str, label: &'static str, max: usize) -> Field {
    Field::new(key, label, Kind::Digits, max)
}

const fn half(key: &'static str, label: &'static str, max: usize) -> Field {
    Field::new(key, label, Kind::Half, max)
}

const fn any(key: &'static str, label: &'static str, max: usize) -> Field {
    Field::new(key, label, Kind::Any, max)
}

/// レコード作成者: 1 provider, 2 patient, 8 other, 9 unknown.
const MAY_CREATOR: Field = nine("creator", "レコード作成者", 1).of(&["1", "2", "8", "9"]);
const CREATOR: Field = nine("creator", "レコード作成者", 1).of(&["1", "2", "8", "9"]).must();
const PROVIDER_CREATOR: Field = nine("creator", "レコード作成者", 1).of(&["1", "2", "8", "9"]).must_from_provider();
const RP: Field = nine("rp", "RP番号", 3).must();
const RP_TEXT_100: &[Field] = &[RP, any("text", "補足情報", 100).must(), CREATOR];
const RP_TEXT_400: &[Field] = &[RP, any("text", "注意事項", 400).must(), CREATOR];
const TEXT_400: &[Field] = &[any("text", "内容", 400).must(), CREATOR];

const LAYOUTS: &[Layout] = &[
    Layout {
        number: 1,
        fields: &[
            any("name", "患者氏名", 40).must(),
            nine("sex", "患者性別", 1).of(&["1", "2"]).must(),
            half("birth", "患者生年月日", 8).must(),
            half("zip", "患者郵便番号", 8),
            any("address", "患者住所", 800),
            half("telephone", "患者電話番号", 13),
            any("emergency", "緊急連絡先", 800),
            any("blood", "血液型", 20),
            half("weight", "体重", 7),
            any("kana", "患者氏名カナ", 40),
        ],
    },
    Layout {
        number: 2,
        fields: &[
            nine("kind", "患者特記種別", 1).of(&["1", "2", "3", "9"]).must(),
            any("text", "患者特記内容", 120).must(),
            CREATOR,
        ],
    },
    Layout {
        number: 3,
        fields: &[
            any("name", "薬品名称", 120).must(),
            half("start", "服用開始年月日", 8),
            half("end", "服用終了年月日", 8),
            CREATOR,
            nine("seq", "連番", 3),
            nine("jan", "JANコード", 13),
        ],
    },
    Layout {
        number: 31,
        fields: &[
            nine("seq", "連番", 3).must(),
            any("name", "成分名称", 256).must(),
            nine("code-kind", "成分コード種別", 1).of(&["1", "2"]).must(),
            half("code", "成分コード", 20),
            CREATOR,
        ],
    },
    Layout {
        number: 4,
        fields: &[any("text", "手帳メモ情報", 400).must(), half("date", "メモ入力年月日", 8), CREATOR],
    },
    Layout { number: 5, fields: &[half("date", "調剤等年月日", 8).must(), CREATOR] },
    Layout {
        number: 11,
        fields: &[
            any("name", "医療機関等名称", 120).must_from_provider(),
            half("prefecture", "都道府県", 2),
            half("table", "点数表", 1).of(&["1", "3", "4"]),
            half("code", "医療機関等コード", 7),
            half("zip", "郵便番号", 8),
            any("address", "住所", 800),
            half("telephone", "電話番号", 13),
            PROVIDER_CREATOR,
        ],
    },
    Layout {
        number: 15,
        fields: &[any("name", "医師・薬剤師氏名", 40).must(), any("contact", "連絡先", 800), MAY_CREATOR],
    },
    Layout {
        number: 51,
        fields: &[
            any("name", "医療機関名称", 120).must_from_provider(),
            half("prefecture", "都道府県", 2),
            half("table", "点数表", 1).of(&["1", "3"]),
            half("code", "医療機関コード", 7),
            MAY_CREATOR,
        ],
    },
    Layout {
        number: 55,
        fields: &[any("name", "医師氏名", 40).must(), any("department", "診療科名", 80), MAY_CREATOR],
    },
    Layout {
        number: 201,
        fields: &[
            RP,
            any("name", "薬品名称", 120).must(),
            half("dose", "用量", 12),
            any("unit", "単位名", 12),
            nine("code-kind", "薬品コード種別", 1).of(&["1", "2", "3", "4", "6"]).must(),
            half("code", "薬品コード", 13),
            CREATOR,
            any("generic", "一般名", 120),
            nine("generic-kind", "一般名コード種別", 1).of(&["1", "2"]),
            half("generic-code", "一般名コード", 12),
        ],
    },
    Layout { number: 281, fields: RP_TEXT_100 },
    Layout { number: 291, fields: RP_TEXT_400 },
    Layout {
        number: 301,
        fields: &[
            RP,
            any("name", "用法名称", 100),
            nine("quantity", "調剤数量", 3),
            any("quantity-unit", "調剤単位", 100),
            nine("form", "剤形コード", 2).of(&["1", "2", "3", "4", "5", "6", "7", "9", "10"]).must_from_provider(),
            nine("code-kind", "用法コード種別", 1).of(&["1", "2"]),
            half("code", "用法コード", 16),
            PROVIDER_CREATOR,
        ],
    },
    Layout { number: 311, fields: RP_TEXT_100 },
    Layout { number: 391, fields: RP_TEXT_400 },
    Layout { number: 401, fields: TEXT_400 },
    Layout {
        number: 411,
        fields: &[
            any("text", "提供情報", 400).must(),
            nine("kind", "提供情報種別", 2).of(&["30", "31", "99"]).must(),
            CREATOR,
        ],
    },
    Layout { number: 421, fields: TEXT_400 },
    Layout { number: 501, fields: TEXT_400 },
    Layout { number: 601, fields: &[any("text", "患者等記入", 400).must(), half("date", "入力年月日", 8)] },
    Layout {
        number: 701,
        fields: &[
            any("name", "かかりつけ薬剤師氏名", 40).must(),
            any("pharmacy", "勤務先薬局名称", 120).must(),
            any("contact", "連絡先", 800).must(),
            half("start", "担当開始日", 8),
            half("end", "担当終了日", 8),
            CREATOR,
        ],
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_keys_are_unique() {
        for layout in LAYOUTS {
            assert_eq!(LAYOUTS.iter().filter(|other| other.number == layout.number).count(), 1, "{}", layout.number);
            for field in layout.fields {
                let same = layout.fields.iter().filter(|other| other.key == field.key).count();
                assert_eq!(same, 1, "{} {}", layout.number, field.key);
            }
        }
    }
}
