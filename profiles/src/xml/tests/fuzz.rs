//! Whatever comes in: an answer or a fault with a place, never a panic.

use super::random::{Random, resource};
use super::{definitions, written};
use crate::xml::{Layout, Origin, read};

/// Reads anything; what is taken can be written and read again to the same.
fn endure(text: &[u8]) {
    match read(definitions(), text) {
        Ok(found) => {
            let made = found.to_string();
            let origin = Origin::of(definitions(), text, made.as_bytes());
            assert!(origin.and_then(|origin| origin.at(made.len() / 2)).is_some());
            // A narrative that validation would refuse may be one that XML cannot have either.
            if let Ok(again) = super::write(definitions(), &found, Layout::Compact) {
                assert_eq!(read(definitions(), again.as_bytes()), Ok(found), "{again}");
            }
        }
        Err(error) => {
            assert!(error.offset <= text.len(), "{error:?}");
            let place = error.place(text);
            assert!(place.line > 0 && place.column > 0);
            let _ = error.words();
        }
    }
}

#[test]
fn no_beginning_of_a_text_breaks_it() {
    let xml = written(&resource(&mut Random(7), "Observation", 0), Layout::Compact);
    let dressed = format!("<?xml version=\"1.0\"?><!-- a --><?b c?>{}", &xml[xml.find("<Obs").unwrap_or(0)..]);
    for text in [xml, dressed] {
        for end in (0..text.len()).filter(|end| *end < 1500 || end % 13 == 0) {
            endure(&text.as_bytes()[..end]);
        }
    }
}

#[test]
fn no_change_of_bytes_breaks_it() {
    let mut random = Random(0x00C0_FFEE);
    let pieces: [&[u8]; 20] = [
        b"<",
        b">",
        b"/",
        b"\"",
        b"'",
        b"&",
        b"&#x",
        b";",
        b"=",
        b" ",
        b"\r",
        b"\0",
        b"\xFF",
        b"<!--",
        b"-->",
        b"<![CDATA[",
        b"]]>",
        b"<?",
        b"xmlns:a=''",
        b"</",
    ];
    for kind in ["Patient", "Observation", "Bundle", "Questionnaire"] {
        let xml = written(&resource(&mut random, kind, 0), Layout::Pretty).into_bytes();
        for _ in 0..150 {
            let mut text = xml.clone();
            for _ in 0..=random.below(3) {
                let at = random.below(text.len());
                let end = (at + random.below(8)).min(text.len());
                let piece = pieces[random.below(pieces.len())];
                text.splice(at..end, piece.iter().copied());
            }
            endure(&text);
        }
    }
}

#[test]
fn no_mixture_of_tokens_breaks_it() {
    let mut random = Random(0xBAD_5EED);
    let tokens = [
        "<Patient xmlns=\"http://hl7.org/fhir\">",
        "</Patient>",
        "<name>",
        "</name>",
        "<text>",
        "<div xmlns=\"http://www.w3.org/1999/xhtml\">",
        "</div>",
        "<p/>",
        "<active value=\"true\"/>",
        "<contained>",
        "</contained>",
        "<extension url=\"a\">",
        "</extension>",
        " ",
        "x",
        "&amp;",
        "<![CDATA[y]]>",
        "<!-- c -->",
        "<?pi?>",
        "<a:b xmlns:a=\"u\"/>",
    ];
    for _ in 0..2000 {
        let text: String = (0..random.below(14)).map(|_| tokens[random.below(tokens.len())]).collect();
        endure(text.as_bytes());
        endure(format!("{}{text}", tokens[0]).as_bytes());
    }
}
