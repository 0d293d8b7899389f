//! Bytes into text: UTF-8 where they are, otherwise as their mark or their look says.

use std::io::{self, BufRead, BufReader, Cursor, Read};

use chardetng::{EncodingDetector, Iso2022JpDetection, Utf8Detection};
use encoding_rs::{Encoding, UTF_8};
use encoding_rs_io::DecodeReaderBytesBuilder;

/// Bytes at the head of a stream by which its encoding is told.
const HEAD_BYTES: u64 = 256 * 1024;

/// A text, and the encoding that it was taken to be in where that isn't UTF-8.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Decoded {
    pub(super) text: String,
    pub(super) guess: Option<&'static str>,
}

/// Decodes a whole document. `declared` is the encoding that the document says it is in; bytes that are UTF-8 are
/// UTF-8 whatever they say.
///
/// # Errors
/// What is wrong with the bytes, where they are no text.
pub(super) fn decode(bytes: Vec<u8>, declared: Option<&'static Encoding>) -> Result<Decoded, String> {
    let bytes = match String::from_utf8(bytes) {
        Ok(text) if text.contains('\0') => return Err("isn't text: it has zero bytes".into()),
        Ok(text) => return Ok(Decoded { text, guess: None }),
        Err(error) if is_utf_8(error.as_bytes()) => {
            let at = error.utf8_error().valid_up_to();
            return Err(format!("is UTF-8 but for byte {at} and perhaps more; mend it first"));
        }
        Err(error) => error.into_bytes(),
    };
    let encoding = match Encoding::for_bom(&bytes) {
        Some((encoding, _)) => encoding,
        None => declared.filter(|encoding| *encoding != UTF_8).unwrap_or_else(|| look(&bytes)),
    };
    let (text, used, broken) = encoding.decode(&bytes);
    if broken || text.contains('\0') {
        let name = used.name();
        return Err(format!(
            "is text neither in UTF-8 nor in {name}, which it looks most like; convert it first"
        ));
    }
    Ok(Decoded { text: text.into_owned(), guess: Some(used.name()) })
}

/// A stream in UTF-8, and the encoding that it was taken to be in where that isn't UTF-8.
pub(super) fn transcode<'a>(
    mut stream: Box<dyn Read + 'a>,
) -> io::Result<(Box<dyn BufRead + 'a>, Option<&'static str>)> {
    let mut head = Vec::new();
    stream.by_ref().take(HEAD_BYTES).read_to_end(&mut head)?;
    let encoding = match Encoding::for_bom(&head) {
        Some((encoding, _)) => Some(encoding).filter(|encoding| *encoding != UTF_8),
        None if is_utf_8(&head) => None,
        None => Some(look(&head)),
    };
    let stream = Cursor::new(head).chain(stream);
    Ok(match encoding {
        None => (Box::new(BufReader::new(stream)), None),
        Some(encoding) => {
            let decoder = DecodeReaderBytesBuilder::new().encoding(Some(encoding)).build(stream);
            (Box::new(BufReader::new(decoder)), Some(encoding.name()))
        }
    })
}

/// Whether the bytes are UTF-8, but for a few or for a letter that is cut off at the end.
fn is_utf_8(bytes: &[u8]) -> bool {
    let (mut letters, mut errors) = (0, 0);
    for chunk in bytes.utf8_chunks() {
        letters += chunk.valid().chars().filter(|c| !c.is_ascii()).count();
        errors += usize::from(!chunk.invalid().is_empty());
    }
    let is_cut = std::str::from_utf8(bytes).is_err_and(|error| error.error_len().is_none());
    errors == 0 || is_cut || letters > 4 * errors
}

/// The encoding that the bytes look most like, for text from Iran.
fn look(bytes: &[u8]) -> &'static Encoding {
    let mut detector = EncodingDetector::new(Iso2022JpDetection::Deny);
    detector.feed(bytes, true);
    detector.guess(Some(b"ir"), Utf8Detection::Deny)
}

#[cfg(test)]
mod tests {
    use encoding_rs::{UTF_16LE, WINDOWS_1256};

    use super::*;

    const TEXT: &str = "دولت روز گذشته بيانيه‌اي درباره قيمت نان داد. مردم آن را شنيدند، پس چه گفتند؟";

    fn utf_16() -> Vec<u8> {
        [0xFF, 0xFE].into_iter().chain(TEXT.encode_utf16().flat_map(u16::to_le_bytes)).collect()
    }

    #[test]
    fn documents_in_other_encodings_are_told_by_their_look() {
        let windows = WINDOWS_1256.encode(TEXT).0.into_owned();
        let decoded = decode(windows.clone(), None).unwrap();
        assert_eq!((decoded.text.as_str(), decoded.guess), (TEXT, Some("windows-1256")));
        assert_eq!(
            decode(utf_16(), None).unwrap(),
            Decoded { text: TEXT.into(), guess: Some(UTF_16LE.name()) }
        );
        let (mut stream, guess) = transcode(Box::new(windows.as_slice())).unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        assert_eq!((text.as_str(), guess), (TEXT, Some("windows-1256")));
    }

    #[test]
    fn utf_8_keeps_every_byte() {
        let text = format!("\u{FEFF}{TEXT}\r\n");
        assert_eq!(
            decode(text.clone().into(), Some(WINDOWS_1256)).unwrap(),
            Decoded { text: text.clone(), guess: None }
        );
        let long = text.repeat(5000);
        let (mut stream, guess) = transcode(Box::new(long.as_bytes())).unwrap();
        let mut read = String::new();
        stream.read_to_string(&mut read).unwrap();
        assert!(read == long && guess.is_none());
    }

    #[test]
    fn what_is_no_text_is_refused() {
        let broken = [TEXT.as_bytes(), b"\xff"].concat();
        let at = format!("but for byte {} ", TEXT.len());
        assert!(decode(broken, None).unwrap_err().contains(&at));
        assert!(decode(b"\0\x01\x02".to_vec(), None).unwrap_err().contains("zero bytes"));
        assert!(decode(b"PK\x03\x04\xff\0\0".to_vec(), None).is_err());
    }
}
