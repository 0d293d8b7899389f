//! Text in XML.

use std::borrow::Cow;

/// `text` escaped for element content and attributes in quotation marks. What XML 1.0 can't say at all (control
/// characters, non-characters) becomes U+FFFD.
pub(super) fn escaped(text: &str) -> Cow<'_, str> {
    if text.chars().all(is_allowed) {
        return quick_xml::escape::escape(text);
    }
    let allowed: String = text.chars().map(|c| if is_allowed(c) { c } else { '\u{FFFD}' }).collect();
    Cow::Owned(quick_xml::escape::escape(allowed.as_str()).into_owned())
}

/// The `Char` production of XML 1.0, section 2.2.
pub(super) fn is_allowed(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r' | '\u{20}'..='\u{D7FF}' | '\u{E000}'..='\u{FFFD}' | '\u{10000}'..)
}
