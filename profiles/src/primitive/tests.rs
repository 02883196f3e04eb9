use super::*;

#[test]
fn texts_are_of_their_type_or_not() {
    use PrimitiveError::{Empty, Range, Shape, TooLong};
    let long_id = "a".repeat(65);
    let longest_id = "a".repeat(64);
    for (primitive, text, expected) in [
        (Primitive::Boolean, "true", Ok(())),
        (Primitive::Boolean, "TRUE", Err(Shape)),
        (Primitive::Integer, "0", Ok(())),
        (Primitive::Integer, "-2147483648", Ok(())),
        (Primitive::Integer, "2147483647", Ok(())),
        (Primitive::Integer, "2147483648", Err(Range)),
        (Primitive::Integer, "-2147483649", Err(Range)),
        (Primitive::Integer, "99999999999999999999", Err(Range)),
        (Primitive::Integer, "01", Err(Shape)),
        (Primitive::Integer, "1.0", Err(Shape)),
        (Primitive::Integer, "1e2", Err(Shape)),
        (Primitive::Integer, "-", Err(Shape)),
        (Primitive::Integer, "+1", Err(Shape)),
        (Primitive::UnsignedInt, "0", Ok(())),
        (Primitive::UnsignedInt, "-1", Err(Range)),
        (Primitive::PositiveInt, "1", Ok(())),
        (Primitive::PositiveInt, "0", Err(Range)),
        (Primitive::Decimal, "1.10", Ok(())),
        (Primitive::Decimal, "-1.5E-10", Ok(())),
        (Primitive::Decimal, "1.", Err(Shape)),
        (Primitive::Decimal, ".5", Err(Shape)),
        (Primitive::Decimal, "NaN", Err(Shape)),
        (Primitive::String, "山田　太郎\n", Ok(())),
        (Primitive::String, "a\u{1}", Err(Shape)),
        (Primitive::String, "", Err(Empty)),
        (Primitive::Markdown, "# a\tb", Ok(())),
        (Primitive::Code, "final", Ok(())),
        (Primitive::Code, "two words", Ok(())),
        (Primitive::Code, "two  words", Err(Shape)),
        (Primitive::Code, " final", Err(Shape)),
        (Primitive::Code, "final ", Err(Shape)),
        (Primitive::Code, "予防接種", Ok(())),
        (Primitive::Id, "a-B.9", Ok(())),
        (Primitive::Id, &longest_id, Ok(())),
        (Primitive::Id, &long_id, Err(TooLong)),
        (Primitive::Id, "a_b", Err(Shape)),
        (Primitive::Id, "a/b", Err(Shape)),
        (Primitive::Uri, "http://例え.jp/a", Ok(())),
        (Primitive::Uri, "http://a b", Err(Shape)),
        (Primitive::Url, "mailto:a@b", Ok(())),
        (Primitive::Canonical, "http://a/b|1.0", Ok(())),
    ] {
        assert_eq!(primitive.check(text), expected, "{} {text:?}", primitive.name());
    }
}

#[test]
fn texts_with_a_form_of_their_own_are_of_it_or_not() {
    use PrimitiveError::{Date as Bad, Shape, Zone};
    for (primitive, text, expected) in [
        (Primitive::Oid, "urn:oid:1.2.392.200119", Ok(())),
        (Primitive::Oid, "urn:oid:2", Err(Shape)),
        (Primitive::Oid, "urn:oid:3.1", Err(Shape)),
        (Primitive::Oid, "urn:oid:1.02", Err(Shape)),
        (Primitive::Oid, "1.2.392", Err(Shape)),
        (Primitive::Uuid, "urn:uuid:c757873d-ec9a-4326-a141-556f43239520", Ok(())),
        (Primitive::Uuid, "urn:uuid:C757873D-ec9a-4326-a141-556f43239520", Err(Shape)),
        (Primitive::Uuid, "c757873d-ec9a-4326-a141-556f43239520", Err(Shape)),
        (Primitive::Base64Binary, "QUJD", Ok(())),
        (Primitive::Base64Binary, "QUI=", Ok(())),
        (Primitive::Base64Binary, "QQ==\n", Ok(())),
        (Primitive::Base64Binary, "QUJ", Err(Shape)),
        (Primitive::Base64Binary, "Q===", Err(Shape)),
        (Primitive::Base64Binary, "QQ==QQ==", Err(Shape)),
        (Primitive::Base64Binary, "====", Err(Shape)),
        (Primitive::Base64Binary, "QUJ-", Err(Shape)),
        (Primitive::Date, "2024-02-29", Ok(())),
        (Primitive::Date, "2024-02", Ok(())),
        (Primitive::Date, "2024", Ok(())),
        (Primitive::Date, "2023-02-29", Err(Bad(DateError::NoSuchDay))),
        (Primitive::Date, "2024-02-29T10:00:00Z", Err(Shape)),
        (Primitive::DateTime, "2024", Ok(())),
        (Primitive::DateTime, "2024-02-29T10:00:00+09:00", Ok(())),
        (Primitive::DateTime, "2024-02-29T10:00:00.123Z", Ok(())),
        (Primitive::DateTime, "2024-02-29T10:00:00", Err(Zone)),
        (Primitive::DateTime, "2024-02-29T10:00Z", Err(Zone)),
        (Primitive::DateTime, "2024-02-29T24:00:00Z", Err(Bad(DateError::NoSuchTime))),
        (Primitive::Instant, "2024-02-29T10:00:00Z", Ok(())),
        (Primitive::Instant, "2024-02-29T10:00:00", Err(Zone)),
        (Primitive::Instant, "2024-02-29", Err(Zone)),
        (Primitive::Time, "10:00:00", Ok(())),
        (Primitive::Time, "10:00:00.5", Ok(())),
        (Primitive::Time, "10:00", Err(Bad(DateError::Shape))),
        (Primitive::Time, "24:00:00", Err(Bad(DateError::NoSuchTime))),
        (Primitive::Time, "10:00:00Z", Err(Bad(DateError::Shape))),
    ] {
        assert_eq!(primitive.check(text), expected, "{} {text:?}", primitive.name());
    }
}

#[test]
fn json_writes_each_type_one_way() {
    for (primitive, text, expected) in [
        (Primitive::Boolean, "true", Ok(())),
        (Primitive::Boolean, "\"true\"", Err(PrimitiveError::Kind)),
        (Primitive::Integer, "1", Ok(())),
        (Primitive::Integer, "\"1\"", Err(PrimitiveError::Kind)),
        (Primitive::Decimal, "1.10", Ok(())),
        (Primitive::String, "1", Err(PrimitiveError::Kind)),
        (Primitive::String, "null", Err(PrimitiveError::Kind)),
        (Primitive::String, "{}", Err(PrimitiveError::Kind)),
        (Primitive::Date, "\"2024\"", Ok(())),
    ] {
        let json = Json::parse(text.as_bytes()).expect(text);
        assert_eq!(primitive.check_json(&json), expected, "{} {text}", primitive.name());
    }
}

/// The definitions know the same primitives as this module.
#[test]
fn every_primitive_of_the_definitions_is_known() {
    let definitions = crate::Definitions::embedded();
    let is_primitive = |name: &&str| {
        definitions.type_def(name).is_some_and(|found| found.kind == crate::definitions::TypeKind::PrimitiveType)
    };
    let mut defined: Vec<&str> = definitions.type_names().filter(is_primitive).collect();
    let mut known: Vec<&str> = NAMES.iter().map(|(_, name)| *name).collect();
    defined.sort_unstable();
    known.sort_unstable();
    assert_eq!(defined, known);
}

/// No text that the types' own patterns refuse is taken, and the reverse, over
/// texts near the edge of each.
#[test]
fn the_published_patterns_agree() {
    let definitions = crate::Definitions::embedded();
    let texts = [
        "0",
        "-1",
        "1.5",
        "2024",
        "2024-12",
        "2024-12-31",
        "2024-12-31T23:59:59Z",
        "2024-12-31T23:59:59.1+09:00",
        "10:00:00",
        "true",
        "a",
        "a b",
        "a  b",
        "a-b.c",
        "urn:oid:1.2.3",
        "urn:uuid:c757873d-ec9a-4326-a141-556f43239520",
        "http://a/b",
        "QUJD",
        "0000",
        "2024-1",
        "24:00:00",
        "-",
        "a_b",
        "2147483647",
    ];
    for (primitive, name) in NAMES {
        let value = definitions.type_def(name).and_then(|found| found.element(&format!("{name}.value")));
        let Some(pattern) = value.and_then(|element| element.regex.as_deref()) else { continue };
        let pattern = regex::Regex::new(&format!("^(?:{pattern})$")).expect(pattern);
        for text in texts {
            assert_eq!(primitive.check(text).is_ok(), pattern.is_match(text), "{name} {text:?}");
        }
    }
}
