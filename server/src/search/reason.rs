//! What can be wrong with a search parameter, in English and in Japanese.
//!
//! To add a reason: its row in [`Reason`]. A row has the class, which decides the
//! issue code, and the sentence in both languages; none can be left out. Names,
//! grammars and numbers stand as they are in either.

use std::fmt::{self, Display, Formatter};

use super::time::DateError;

/// What kind of fault it is: the issue code, and whether `handling=lenient` helps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// There is no such parameter, or this server does not do it.
    Undone,
    /// The modifier is not done. Never ignored: the answer would mean something else.
    ModifierUndone,
    /// Not all records are indexed by it yet.
    Unready,
    /// The value cannot be read.
    Value,
    /// What the value names is not here: a code system, a value set.
    Absent,
    /// It is put where it does not belong.
    Misuse,
    /// There is too much of it.
    TooMuch,
}

macro_rules! reasons {
    ($($name:ident $({ $($field:ident: $type:ty),+ })? => $class:ident, $english:literal, $japanese:literal;)+) => {
        /// What is wrong with a search parameter.
        #[derive(Clone, Debug, PartialEq, Eq)]
        #[expect(missing_docs, reason = "each says in words what it is")]
        pub enum Reason {
            $($name $({ $($field: $type),+ })?,)+
        }

        impl Reason {
            /// What kind of fault it is.
            pub fn class(&self) -> Class {
                match self {
                    $(Self::$name { .. } => Class::$class,)+
                }
            }

            /// The sentence in Japanese, without its full stop.
            pub fn japanese(&self) -> String {
                match self {
                    $(Self::$name $({ $($field),+ })? => format!($japanese),)+
                }
            }

            /// One of each.
            #[cfg(test)]
            pub(super) fn all() -> Vec<Self> {
                vec![$(Self::$name $({ $($field: tests::Sample::sample()),+ })?,)+]
            }
        }

        impl Display for Reason {
            fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
                match self {
                    $(Self::$name $({ $($field),+ })? => write!(out, $english),)+
                }
            }
        }
    };
}

reasons! {
    // The parameter.
    Unknown { resource_type: Box<str> } => Undone,
        "{resource_type} has no such search parameter",
        "{resource_type}にこの検索パラメータはありません";
    NotOfAll => Undone,
        "not all types have this search parameter; name those that are meant with _type",
        "この検索パラメータはすべての型にはありません。検索する型を_typeで指定してください";
    NotIndexed { resource_type: Box<str> } => Unready,
        "not all records of {resource_type} are indexed by it yet; POST /fhir/$reindex does that and tells how far it is",
        "{resource_type}の一部の記録はまだこのパラメータで索引付けされていません。POST /fhir/$reindex で索引付けと進み具合の確認ができます";
    Refused { resource_type: Box<str> } => Undone,
        "the definition of this search parameter of {resource_type} is one that this server no longer takes; validate and correct it",
        "{resource_type}のこの検索パラメータの定義は、現在のサーバーでは使えません。定義を検証して修正してください";
    UnknownType { name: Box<str> } => Misuse,
        "there is no resource type {name:?}",
        "{name}というリソース型はありません";
    NotDone { name: Box<str> } => Undone,
        "the parameter {name} is not supported in this search",
        "パラメータ{name}はこの検索では使えません";
    Repeated => Misuse,
        "may be given only once",
        "1回だけ指定できます";
    ManyValues { most: usize } => TooMuch,
        "a search may have at most {most} values",
        "1回の検索で指定できる値は{most}個までです";
    ManyConditions => TooMuch,
        "the search has too many conditions; ask for less",
        "検索条件が多すぎます。条件を減らしてください";

    NoQuery { resource_type: Box<str>, name: Box<str> } => ModifierUndone,
        "{resource_type} has no named query {name:?} on this server",
        "このサーバーの{resource_type}に「{name}」という名前付き検索はありません";
    QueryAlone => Misuse,
        "a named query is asked of its own type alone",
        "名前付き検索は1つの型だけに使えます";
    QueryNeeds { parameter: Box<str> } => Value,
        "this named query needs {parameter}, by id",
        "この名前付き検索には{parameter}のid指定が必要です";

    // The modifier.
    NoModifier { name: Box<str> } => Misuse,
        "there is no modifier :{name}",
        "修飾子:{name}はありません";
    ModifierNotDone { name: Box<str> } => ModifierUndone,
        "the modifier :{name} is not supported by this server",
        "修飾子:{name}はこのサーバーでは使えません";
    ModifierUnfit { name: Box<str>, what: Box<str> } => Misuse,
        "the modifier :{name} does not go with {what}",
        "修飾子:{name}は{what}には使えません";
    ModifierOfChain { name: Box<str> } => Misuse,
        "the modifier :{name} does not go with a chain",
        "修飾子:{name}は連鎖検索には使えません";
    NoIdentifiers => Misuse,
        "the modifier :of-type does not go with a parameter that finds no identifiers",
        "修飾子:of-typeは識別子を探すパラメータだけに使えます";
    NoSuchTarget => Misuse,
        "there is no such resource type",
        "修飾子に書かれたリソース型はありません";
    Missing => Value,
        ":missing is true or false",
        ":missingの値はtrueかfalseです";

    // Any value.
    Nul => Value,
        "a value has no NUL character",
        "値にNUL文字は使えません";
    Backslash => Value,
        r"a backslash stands only in \, \| \$ and \\",
        r"バックスラッシュは\, \| \$ \\の形だけで使えます";
    NoType { name: Box<str> } => Value,
        "there is no resource type {name:?}",
        "{name}というリソース型はありません";

    // Values of each kind.
    Id => Value,
        "an id is wanted",
        "idを指定してください";
    Number => Value,
        "a number is written 5, -5.40 or 5.4e-3",
        "数値は5、-5.40、5.4e-3のように書きます";
    Date => Value,
        "a date is written 2024, 2024-02, 2024-02-03 or 2024-02-03T10:15:00+09:00",
        "日付は2024、2024-02、2024-02-03、2024-02-03T10:15:00+09:00のように書きます";
    NoSuchDate => Value,
        "there is no such day or time",
        "存在しない日付または時刻です";
    BarePlus => Value,
        "the + of a time zone is sent as %2B in a URL",
        "時差の+はURLでは%2Bと書いてください";
    Quantity => Value,
        "a quantity is written 5.4, 5.4|system|code or 5.4||unit",
        "量は5.4、5.4|system|code、5.4||unitのように書きます";
    Text => Value,
        "a text is wanted",
        "文字列を指定してください";
    LongText { most: usize } => Value,
        "only {most} characters are compared; :exact compares all",
        "比較できるのは{most}文字までです。全体の比較には:exactを使ってください";
    Uri => Value,
        "a URI is wanted",
        "URIを指定してください";
    UriAbove => Value,
        "with :above and :below a URL such as http://example.org/a is wanted",
        ":aboveと:belowにはhttp://example.org/aのようなURLを指定してください";
    Code => Value,
        r"a code is written code, system|code, |code or system|; \| inside one",
        r"コードはcode、system|code、|code、system|のように書きます。途中の|は\|と書きます";
    NoCode => Value,
        "a code is wanted",
        "コードを指定してください";
    Truth => Value,
        "true or false is wanted",
        "trueかfalseを指定してください";
    CodeAbove => Value,
        "with :above and :below a code is written system|code",
        ":aboveと:belowではコードをsystem|codeと書きます";
    OfType => Value,
        "with :of-type an identifier is written system|code|value",
        ":of-typeでは識別子をsystem|code|valueと書きます";
    NoHierarchy { system: Box<str> } => Absent,
        "what lies above and below that code of {system} is not known here",
        "{system}のこのコードの上位・下位の概念はこのサーバーでは分かりません";
    NoValueSet => Absent,
        "there is no such value set here; name it by its URL, by URL|version, or as ValueSet/id",
        "この値セットはこのサーバーにありません。URL、URL|version、またはValueSet/idで指定してください";
    SetLacks { set: Box<str>, element: Box<str>, lacks: Box<str> } => Absent,
        "the value set {set} draws on {lacks}, which is not here, or not all of it ({element})",
        "値セット{set}が使う{lacks}がこのサーバーにないか、一部しかありません({element})";
    SetUndecided { set: Box<str>, element: Box<str> } => ModifierUndone,
        "{element} of the value set {set} cannot be worked out by this server",
        "値セット{set}の{element}は、このサーバーでは解釈できません";
    SetCircle { set: Box<str>, element: Box<str> } => ModifierUndone,
        "the value set {set} draws on itself, or on too many others in a row ({element})",
        "値セット{set}は自分自身を取り込んでいるか、取り込みの段数が多すぎます({element})";
    ManyDefinitions { most: usize } => TooMuch,
        "the value sets draw on more than {most} others and code systems",
        "値セットが取り込む値セットとコードシステムが{most}個を超えます";
    ManyVersions { most: usize } => TooMuch,
        "of the value set, or of what it draws on, there are more than {most} versions; name one, as URL|version",
        "値セットまたはそれが使う定義に、{most}個を超える版があります。URL|versionの形で版を指定してください";
    ManyCodes { most: usize } => TooMuch,
        "that comes to more than {most} codes",
        "該当するコードが{most}個を超えます";
    Reference => Value,
        "a reference is written id, Type/id or as an absolute URL",
        "参照はid、Type/id、または絶対URLで書きます";
    HierarchyOfWhich => Value,
        "the parameter may refer to several types; with :above and :below write Type/id",
        "このパラメータは複数の型を参照できます。:aboveと:belowではType/idと書いてください";
    Flat { name: Box<str> } => Misuse,
        "resources of the type {name} form no hierarchy, so that nothing is above or below one",
        "{name}のリソースには上下関係がないので、:aboveと:belowは使えません";
    VersionsAbove => Misuse,
        "of a canonical URL of up to 500 characters what is :below it can be asked, not what is :above it",
        "canonical URL(500文字まで)には:belowだけが使えます。:aboveは使えません";
    ReferenceTo { name: Box<str> } => Value,
        "the id of a {name} is wanted",
        "{name}のidを指定してください";
    Version => Undone,
        "a search for one version of a target is not supported by this server",
        "参照先の版を指定した検索はこのサーバーでは使えません";
    Parts { form: Box<str> } => Value,
        r"the parts of a value are written {form}; \$ inside one",
        r"値は{form}の順に$で区切って書きます。途中の$は\$と書きます";
    CompositeInside => Undone,
        "a composite inside another is not supported by this server",
        "複合パラメータの中の複合パラメータはこのサーバーでは使えません";
    Special => Undone,
        "a special search parameter is not supported by this server",
        "この特別な検索パラメータはこのサーバーでは使えません";
    Place => Value,
        "a place is written latitude|longitude|distance|unit, as 35.68|139.77|5|km",
        "場所は緯度|経度|距離|単位の順に、35.68|139.77|5|kmのように書きます";
    Latitude { most: Box<str> } => Value,
        "a latitude is between -{most} and {most}, a longitude between -180 and 180",
        "緯度は-{most}から{most}まで、経度は-180から180までです";
    Length => Value,
        "a distance is in km, m or another UCUM unit of length",
        "距離の単位はkm、m、またはUCUMの長さの単位です";
    Distance { most: Box<str> } => Value,
        "a distance is between 0 and {most} km",
        "距離は0から{most}kmまでです";

    // Chains.
    NoReference { code: Box<str> } => Value,
        "{code} refers to no resource; nothing can follow it",
        "{code}はリソースへの参照ではないため、続きを指定できません";
    ManyTargets { code: Box<str> } => Value,
        "{code} may refer to many types; name one, as {code}:Patient.",
        "{code}は多くの型を参照できます。{code}:Patient.のように型を指定してください";
    NotItsTarget { code: Box<str>, name: Box<str> } => Misuse,
        "{code} does not refer to {name}",
        "{code}は{name}を参照しません";
    Has => Value,
        "a reverse chain is written _has:Type:reference:parameter",
        "逆方向の連鎖は_has:Type:reference:parameterと書きます";
    NoReverse { source: Box<str>, code: Box<str>, here: Box<str> } => Value,
        "{source} has no search parameter {code:?} that refers to {here}",
        "{source}には{here}を参照する検索パラメータ{code}はありません";
    ListWorkedOut => Undone,
        "a list that is worked out, such as $current-problems, is not supported by this server",
        "$current-problemsのように計算で求めるリストはこのサーバーでは使えません";
    ListId => Value,
        "the id of a List is wanted",
        "Listのidを指定してください";
    LongChain { most: usize } => TooMuch,
        "a chain has at most {most} steps",
        "連鎖は{most}段までです";
    ChainedAudit => Undone,
        "a chain through AuditEvent is not supported by this server",
        "AuditEventを通る連鎖検索はこのサーバーでは使えません";

    // Where a search is asked, and what it answers.
    AuditBeside => Undone,
        "AuditEvent is searched by itself, as AuditEvent?patient=…; beside other types it is not supported by this server",
        "AuditEventは他の型と一緒には検索できません。AuditEvent?patient=…のように単独で検索してください";
    Summary => Value,
        "_summary is true, text, data, count or false",
        "_summaryの値はtrue、text、data、count、falseのどれかです";
    SummaryOfOne => Misuse,
        "_summary=count is for searches",
        "_summary=countは検索だけに使えます";
    SummaryAndElements => Misuse,
        "_summary and _elements do not go together: give one of them",
        "_summaryと_elementsは一緒に指定できません。どちらか一方にしてください";
    SummaryAndInclude => Misuse,
        "_include and _revinclude do not go with _summary=text",
        "_includeと_revincludeは_summary=textと一緒に指定できません";
    NoElement { name: Box<str>, types: Box<str> } => Value,
        "{name:?} is no top-level element of {types}",
        "「{name}」は{types}の最上位の要素ではありません";
    ManyElements { most: usize } => TooMuch,
        "at most {most} elements",
        "指定できる要素は{most}個までです";
    Count => Value,
        "_count is a whole number from 0",
        "_countの値は0以上の整数です";
    Contained => Value,
        "_contained is true, false or both",
        "_containedの値はtrue、false、bothのいずれかです";
    ContainedAlone => ModifierUndone,
        "contained resources are searched by a search of up to 8 named types; not here",
        "contained内のリソースは、型(8つまで)を指定した検索で探せます。ここでは使えません";
    ContainedWith { what: Box<str> } => ModifierUndone,
        "a search for contained resources (_contained=true or both) does not go with {what} on this server",
        "contained内のリソースの検索(_contained=trueまたはboth)は、このサーバーでは{what}と一緒に使えません";
    ContainedType => Value,
        "_containedType is container or contained",
        "_containedTypeの値はcontainerかcontainedです";
    Total => Value,
        "_total is none, estimate or accurate",
        "_totalの値はnone、estimate、accurateのどれかです";
    SortedTypes => Value,
        "several types are sorted by _lastUpdated and _id only",
        "複数の型の検索結果は_lastUpdatedと_idだけで並べ替えられます";
    ManyKeys { most: usize } => TooMuch,
        "at most {most} keys sort",
        "並べ替えのキーは{most}個までです";
    NewestFirst => Value,
        "a history is told newest first",
        "履歴は新しい順だけです";
    NoKey => Value,
        "a parameter to sort by is wanted",
        "並べ替えに使うパラメータを指定してください";
    NotAKey { resource_type: Box<str>, code: Box<str> } => Value,
        "{resource_type} cannot be sorted by {code:?}",
        "{resource_type}は「{code}」では並べ替えられません";
    Unsorted { code: Box<str> } => Undone,
        "sorting by {code} is not supported by this server",
        "{code}での並べ替えはこのサーバーでは使えません";
    ManyIncludes { most: usize } => TooMuch,
        "at most {most} includes",
        "_includeと_revincludeは合わせて{most}個までです";
    Include => Value,
        "an include is written Type:parameter or Type:parameter:Target",
        "_includeと_revincludeはType:parameterまたはType:parameter:Targetと書きます";
    IncludeFrom { types: Box<str>, source: Box<str> } => Value,
        "the results are of type {types}, not {source}",
        "検索結果の型は{types}で、{source}ではありません";
    IncludeBy { source: Box<str>, code: Box<str> } => Value,
        "{source} has no search parameter {code:?} that refers to resources",
        "{source}にはリソースを参照する検索パラメータ{code}はありません";
    IncludeTo { source: Box<str>, code: Box<str>, types: Box<str> } => Value,
        "{source}:{code} does not refer to {types}",
        "{source}:{code}は{types}を参照しません";

    // The grammar of `_filter`; places are counted in characters.
    FilterEnd { at: usize } => Value,
        "at character {at}: and, or, or the end is wanted",
        "{at}文字目: and、or、または式の終わりが必要です";
    FilterParenthesis { at: usize } => Value,
        "at character {at}: a closing parenthesis is wanted",
        "{at}文字目: 閉じ括弧「)」が必要です";
    FilterOperator { at: usize } => Value,
        "at character {at}: an operator such as eq is wanted",
        "{at}文字目: eqなどの演算子が必要です";
    FilterName { at: usize } => Value,
        "at character {at}: the name of a search parameter is wanted",
        "{at}文字目: 検索パラメータの名前が必要です";
    FilterBracket { at: usize } => Value,
        "at character {at}: a closing bracket is wanted",
        "{at}文字目: 閉じ角括弧「]」が必要です";
    FilterValue { at: usize } => Value,
        "at character {at}: a value is wanted",
        "{at}文字目: 値が必要です";
    FilterQuote { at: usize } => Value,
        "at character {at}: a closing quotation mark is wanted",
        "{at}文字目: 閉じ引用符が必要です";
    FilterString { at: usize } => Value,
        "at character {at}: a string is written as in JSON",
        "{at}文字目: 文字列はJSONと同じ形で書きます";
    FilterPath => Value,
        "behind [filter] a dot and a name are wanted",
        "[filter]の後には「.」と名前が必要です";
    FilterDepth { most: usize } => TooMuch,
        "a filter nests at most {most} deep",
        "式の入れ子は{most}段までです";
    FilterPresent => Value,
        "behind pr true or false is wanted",
        "prの後にはtrueかfalseが必要です";
    FilterPrefix => Value,
        "a date or a number is wanted; the operator stands before it",
        "日付か数値が必要です。演算子はその前に書きます";
    FilterUnfit { name: Box<str> } => Value,
        "that operator does not go with {name}",
        "この演算子は{name}には使えません";
    FilterText { name: Box<str> } => Value,
        "{name} is no part of a filter: ask it beside, as a parameter of its own",
        "{name}は式の中では使えません。別のパラメータとして指定してください";

    // The grammar of `_text` and `_content`.
    TextWord { at: usize } => Value,
        "at character {at}: a word is wanted",
        "{at}文字目: 語が必要です";
    TextLetter { at: usize } => Value,
        "at character {at}: a word has a letter or a digit",
        "{at}文字目: 語には文字か数字が必要です";
    TextSign { at: usize } => Value,
        "at character {at}: words, \"words in quotes\", AND, OR, NOT and parentheses are known, and nothing else",
        "{at}文字目: 使えるのは語、\"引用符で囲んだ語\"、AND、OR、NOT、括弧だけです";
    TextOpening { at: usize } => Value,
        "at character {at}: an opening parenthesis is missing before it",
        "{at}文字目: 対応する開き括弧「(」がありません";
    TextDepth { most: usize } => TooMuch,
        "parentheses nest at most {most} deep",
        "括弧の入れ子は{most}段までです";
    LongWord { most: usize } => TooMuch,
        "a word has at most {most} characters",
        "1語は{most}文字までです";
}

impl From<DateError> for Reason {
    fn from(error: DateError) -> Self {
        match error {
            DateError::Shape => Self::Date,
            DateError::NoSuch => Self::NoSuchDate,
            DateError::BarePlus => Self::BarePlus,
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A value for a field of any reason.
    pub(in crate::search) trait Sample {
        fn sample() -> Self;
    }

    impl Sample for Box<str> {
        fn sample() -> Self {
            "x".into()
        }
    }

    impl Sample for usize {
        fn sample() -> Self {
            3
        }
    }

    #[test]
    fn every_reason_is_a_sentence_of_its_own_in_both_languages() {
        let mut seen = std::collections::BTreeMap::new();
        for reason in Reason::all() {
            let (english, japanese) = (reason.to_string(), reason.japanese());
            assert!(english.is_ascii() || english.contains('…'), "{english}");
            assert!(japanese.chars().any(|sign| ('ぁ'..='ん').contains(&sign)), "{japanese}");
            // Words of a grammar stand alone; two of them with a blank between are English.
            let words: Vec<bool> = japanese.split(' ').map(is_english).collect();
            assert!(!words.windows(2).any(|pair| pair == [true, true]), "{japanese}");
            assert!(!japanese.contains("supported") && !japanese.ends_with(['.', '。']), "{japanese}");
            if let Some(same) = seen.insert(japanese, english.clone()) {
                assert_eq!(same, english, "two reasons with one Japanese sentence");
            }
        }
    }

    fn is_english(word: &str) -> bool {
        word.len() > 1 && word.bytes().all(|byte| byte.is_ascii_alphabetic())
    }

    #[test]
    fn each_wrong_date_says_what_is_wrong() {
        for error in [DateError::Shape, DateError::NoSuch, DateError::BarePlus] {
            assert_eq!(Reason::from(error).to_string(), error.to_string());
        }
    }
}
