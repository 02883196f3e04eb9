//! gzip and zstd, in both directions.
//!
//! Only FHIR's answers are compressed, never the pages and answers of sign-in and
//! approval. Compressing secrets beside text that an attacker chooses lets lengths
//! tell the secrets (BREACH). For that she must make a victim's browser ask, with the
//! victim's rights, for answers that hold both. FHIR answers are given to a bearer
//! token alone, which no page but the app's own can send (no cookies, CORS without
//! credentials), and they hold no token, code or key. Pages under `/oauth/` and the
//! portal go by cookie and hold form secrets: they stay as they are.
//!
//! What comes in is unpacked up to the limit of a body and no further: a bomb costs
//! its sender more than us.
//!
//! Source: RFC 9110 §8.4, §12.5.3; RFC 1952; RFC 8878

use std::io::{self, Read, Write};

use axum::http::HeaderMap;
use axum::http::header::{ACCEPT_ENCODING, CONTENT_ENCODING};

use super::negotiate::weight;
use crate::interaction::{Error, Issue};

/// Smaller answers fit into a packet or two as they are.
pub const WORTH_IT: usize = 1024;

/// How a body is packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Coding {
    /// `gzip`
    Gzip,
    /// `zstd`
    Zstd,
}

impl Coding {
    /// Its name in headers.
    pub fn name(self) -> &'static str {
        match self {
            Self::Gzip => "gzip",
            Self::Zstd => "zstd",
        }
    }

    /// The coding that the client wants most; `None` for none. Of the two zstd costs
    /// less, so it goes first where both are wanted alike.
    pub fn wanted(headers: &HeaderMap) -> Option<Self> {
        let values: Vec<&str> =
            headers.get_all(ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok()).collect();
        let named = |names: &[&str]| {
            let ranges = values.iter().flat_map(|value| value.split(','));
            let mut found = ranges.filter(|range| {
                let name = range.split(';').next().unwrap_or_default().trim();
                names.iter().any(|known| name.eq_ignore_ascii_case(known))
            });
            found.next().map(weight)
        };
        let others = named(&["*"]);
        let of = |names: &[&str]| named(names).or(others).unwrap_or(0.0);
        let (zstd, gzip) = (of(&["zstd"]), of(&["gzip", "x-gzip"]));
        let plain = named(&["identity"]).unwrap_or(0.0);
        let (best, coding) = if zstd >= gzip { (zstd, Self::Zstd) } else { (gzip, Self::Gzip) };
        (best > 0.0 && best >= plain).then_some(coding)
    }

    /// Packs a body, fast rather than small: most of what there is to gain in
    /// resources is gained at once.
    pub fn pack(self, bytes: &[u8]) -> io::Result<Vec<u8>> {
        match self {
            Self::Gzip => {
                let mut out = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::new(4));
                out.write_all(bytes)?;
                out.finish()
            }
            Self::Zstd => zstd::bulk::compress(bytes, 3),
        }
    }

    fn unpack(self, bytes: &[u8], limit: usize) -> Result<Vec<u8>, Error> {
        let mut out = Vec::new();
        let most = limit as u64 + 1;
        let done = match self {
            Self::Gzip => flate2::read::MultiGzDecoder::new(bytes).take(most).read_to_end(&mut out),
            Self::Zstd => zstd::stream::read::Decoder::new(bytes)
                .and_then(|mut decoder| {
                    // A window as large as the limit is all that a body within it can need.
                    decoder.window_log_max(WINDOW_LOG)?;
                    Ok(decoder)
                })
                .and_then(|decoder| decoder.take(most).read_to_end(&mut out)),
        };
        match done {
            Ok(_) if out.len() > limit => Err(too_large(limit)),
            Ok(_) => Ok(out),
            Err(_) => Err(Error::Invalid(vec![Issue::error(
                "invalid",
                format!("The body is no complete {} stream.", self.name()),
                format!("本文が完全な {} ではありません。", self.name()),
            )])),
        }
    }
}

/// 2^24 = 16 MiB, the limit of a body.
const WINDOW_LOG: u32 = 24;

/// A body may have up to so many bytes, unpacked.
pub fn too_large(limit: usize) -> Error {
    Error::TooLarge(Issue::error(
        "too-long",
        format!("A body may have up to {limit} bytes."),
        format!("本文は {limit} バイトまでです。"),
    ))
}

/// The coding of a body by `Content-Encoding`.
///
/// # Errors
/// 415 for what is not built, and for more than one.
pub fn received(headers: &HeaderMap) -> Result<Option<Coding>, Error> {
    let values = headers.get_all(CONTENT_ENCODING).iter().map(|value| value.to_str().unwrap_or("?"));
    let all = values.flat_map(|value| value.split(',')).map(|name| name.trim().to_ascii_lowercase());
    let named: Vec<String> = all.filter(|name| !name.is_empty() && name != "identity").collect();
    match named.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] => Ok(None),
        ["gzip" | "x-gzip"] => Ok(Some(Coding::Gzip)),
        ["zstd"] => Ok(Some(Coding::Zstd)),
        _ => Err(Error::Unsupported(Issue::error(
            "not-supported",
            "A body may be packed once, by gzip or zstd.",
            "本文の圧縮は gzip または zstd で1回だけにしてください。",
        ))),
    }
}

/// A body, unpacked.
///
/// # Errors
/// 413 beyond `limit`, 400 where the stream is broken.
pub fn unpacked(coding: Coding, bytes: &[u8], limit: usize) -> Result<Vec<u8>, Error> {
    coding.unpack(bytes, limit)
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn the_coding_wanted_most_is_taken() {
        for (accept, expected) in [
            ("", None),
            ("gzip", Some(Coding::Gzip)),
            ("x-gzip", Some(Coding::Gzip)),
            ("br, deflate", None),
            ("gzip, deflate, br, zstd", Some(Coding::Zstd)),
            ("gzip, zstd;q=0.5", Some(Coding::Gzip)),
            ("gzip;q=0", None),
            ("*", Some(Coding::Zstd)),
            ("*, zstd;q=0", Some(Coding::Gzip)),
            ("gzip;q=0.5, identity", None),
            ("gzip, identity;q=0.5", Some(Coding::Gzip)),
            ("gzip;q=nonsense", None),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(ACCEPT_ENCODING, HeaderValue::from_static(accept));
            assert_eq!(Coding::wanted(&headers), expected, "{accept}");
        }
        assert_eq!(Coding::wanted(&HeaderMap::new()), None);
    }

    #[test]
    fn what_is_packed_comes_out_again_and_bombs_do_not() {
        let text = "山田".repeat(5000).into_bytes();
        for coding in [Coding::Gzip, Coding::Zstd] {
            let packed = coding.pack(&text).expect("packed");
            assert!(packed.len() < text.len() / 10);
            assert_eq!(unpacked(coding, &packed, text.len()).expect("unpacked"), text);
            assert!(matches!(unpacked(coding, &packed, text.len() - 1), Err(Error::TooLarge(_))));
            assert!(matches!(unpacked(coding, &packed[..packed.len() - 9], 1 << 20), Err(Error::Invalid(_))));
            assert!(matches!(unpacked(coding, b"{}", 1 << 20), Err(Error::Invalid(_))));
        }
    }
}
