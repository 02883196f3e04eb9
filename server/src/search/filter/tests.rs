//! Filter expressions, read.

use super::*;

fn read(text: &str) -> Result<String, Reason> {
    let mut source = Source { text, at: 0, depth: 0 };
    let found = source.expression()?;
    source.space();
    if source.at < text.len() { Err(source.wrong(|at| Reason::FilterEnd { at })) } else { Ok(shown(&found)) }
}

/// With every parenthesis.
fn shown(expression: &Expression<'_>) -> String {
    let joined =
        |parts: &[Expression<'_>], word: &str| format!("({})", parts.iter().map(shown).collect::<Vec<_>>().join(word));
    match expression {
        Expression::And(parts) => joined(parts, " and "),
        Expression::Or(parts) => joined(parts, " or "),
        Expression::Not(part) => format!("not{}", shown(part)),
        Expression::Test { path, operator, value } => {
            let step = |step: &Step<'_>| match &step.filter {
                Some(filter) => format!("{}[{}]", step.name, shown(filter)),
                None => step.name.to_owned(),
            };
            format!("{} {operator:?} {value}", path.iter().map(step).collect::<Vec<_>>().join("."))
        }
    }
}

#[test]
fn expressions_are_read_from_left_to_right() {
    for (text, expected) in [
        ("name co \"pet\"", "name Contains pet"),
        ("a eq 1 and b eq 2 and c eq 3", "(a Equal 1 and b Equal 2 and c Equal 3)"),
        ("a eq 1 or b eq 2 and c eq 3", "((a Equal 1 or b Equal 2) and c Equal 3)"),
        ("a eq 1 and b eq 2 or c eq 3", "((a Equal 1 and b Equal 2) or c Equal 3)"),
        ("a eq 1 or (b eq 2 and c eq 3)", "(a Equal 1 or (b Equal 2 and c Equal 3))"),
        ("not (a eq 1)", "nota Equal 1"),
        ("not(a eq 1 or b eq 2) and c eq 3", "(not(a Equal 1 or b Equal 2) and c Equal 3)"),
        ("((a eq 1))", "a Equal 1"),
        ("subject.name co \"a ) ] b\"", "subject.name Contains a ) ] b"),
        ("related[type eq x and y eq 2].target pr false", "related[(type Equal x and y Equal 2)].target Present false"),
        ("a[b[c eq 1].d eq 2].e.f eq 3", "a[b[c Equal 1].d Equal 2].e.f Equal 3"),
        ("  code   eq\thttp://loinc.org|1234-5 ", "code Equal http://loinc.org|1234-5"),
        (r#"name eq "say \"a\" \u5c71\\""#, r#"name Equal say "a" 山\"#),
        ("note eq \"\"", "note Equal "),
        ("android eq 1 and notes eq or", "(android Equal 1 and notes Equal or)"),
        ("_id eq x", "_id Equal x"),
    ] {
        assert_eq!(read(text).as_deref(), Ok(expected), "{text}");
    }
}

#[test]
fn what_is_no_expression_is_refused_with_its_place() {
    for (text, place) in [
        ("", 1),
        ("name", 5),
        ("name xx 1", 6),
        ("name eq", 8),
        ("name eq )", 9),
        ("(name eq 1", 11),
        ("name eq 1)", 10),
        ("name eq 1 and", 11),
        ("name eq 1 and ", 15),
        ("name eq 1 name eq 2", 11),
        ("name eq \"open", 9),
        ("name eq \"\\x\"", 9),
        ("a[b eq 1.c eq 2", 12),
        ("a. eq 1", 3),
        ("not a eq 1", 5),
        ("1a eq 1", 1),
        ("山 eq 1", 1),
    ] {
        let error = read(text).map_err(|reason| reason.to_string());
        assert!(
            error.as_ref().is_err_and(|text| text.starts_with(&format!("at character {place}:"))),
            "{text}: {error:?}"
        );
    }
    let deep = format!("{}a eq 1{}", "(".repeat(40), ")".repeat(40));
    assert!(matches!(read(&deep), Err(Reason::FilterDepth { .. })));
}

#[test]
fn no_text_makes_it_panic() {
    let signs = ["a", "eq", "\"", "\\", "(", ")", "[", "]", ".", " ", "not", "and", "or", "山", "1", "|"];
    let mut state = 7_usize;
    for _ in 0..20_000 {
        let mut text = String::new();
        for _ in 0..12 {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            text.push_str(signs[(state >> 33) % signs.len()]);
        }
        let _ = read(&text);
    }
}
