//! Lines of bounded length from a stream of any length.

use std::io::{self, BufRead, Read, Write};

/// How a line ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Line {
    /// The line is whole, with the `\n` at its end unless it is the last.
    Whole,
    /// It is longer than allowed; its rest is still to be read.
    TooLong,
    /// There are no more.
    End,
}

/// Reads a line of at most `limit` bytes into `line`, in place of what is there.
pub(super) fn read(input: &mut dyn BufRead, line: &mut Vec<u8>, limit: usize) -> io::Result<Line> {
    line.clear();
    let limit = u64::try_from(limit).unwrap_or(u64::MAX);
    input.take(limit).read_until(b'\n', line)?;
    Ok(match line.last() {
        None => Line::End,
        Some(b'\n') => Line::Whole,
        // Short of the limit only at the end of the stream; at the limit, that is one look away.
        Some(_) if (line.len() as u64) < limit || input.fill_buf()?.is_empty() => Line::Whole,
        Some(_) => Line::TooLong,
    })
}

/// Copies the rest of a line, its `\n` included.
pub(super) fn copy_rest(input: &mut dyn BufRead, output: &mut dyn Write) -> io::Result<()> {
    loop {
        let buffer = input.fill_buf()?;
        let end = buffer.iter().position(|byte| *byte == b'\n');
        let length = end.map_or(buffer.len(), |end| end + 1);
        output.write_all(&buffer[..length])?;
        input.consume(length);
        if end.is_some() || length == 0 {
            return Ok(());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_up_to_the_limit_are_whole() {
        let text = "abc\n\nabcd\nabcde\nabcd";
        let mut input = io::BufReader::with_capacity(2, text.as_bytes());
        let mut line = Vec::new();
        let mut seen = Vec::new();
        loop {
            let kind = read(&mut input, &mut line, 5).unwrap();
            seen.push((String::from_utf8(line.clone()).unwrap(), kind));
            match kind {
                Line::End => break,
                Line::TooLong => copy_rest(&mut input, &mut io::sink()).unwrap(),
                Line::Whole => {}
            }
        }
        let expected = [
            ("abc\n", Line::Whole),
            ("\n", Line::Whole),
            ("abcd\n", Line::Whole),
            ("abcde", Line::TooLong),
            ("abcd", Line::Whole),
            ("", Line::End),
        ];
        assert_eq!(seen, expected.map(|(line, kind)| (line.to_owned(), kind)));
    }
}
