//! Plain text: the whole document is one article.

use std::io::Write;

use super::{Context, Found, Input, Outcome, Stop, Written, read_whole};
use crate::archive::encoding::decode;
use crate::archive::record::Text;

pub(super) fn rewrite(
    locator: &str,
    input: Input<'_>,
    output: &mut dyn Write,
    cx: &mut Context<'_>,
) -> Outcome<Written> {
    let bytes = read_whole(input, cx.options.max_item_bytes)?;
    let decoded = decode(bytes, None).map_err(Stop::Unusable)?;
    let found = Found { locator: locator.into(), text: Text::new([&decoded.text]), encoding: decoded.guess };
    let Some(segments) = cx.visitor.article(found)? else { return Ok(Written::Nothing) };
    for segment in segments {
        output.write_all(segment.text.as_bytes())?;
    }
    Ok(Written::Whole)
}
