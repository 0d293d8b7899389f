//! Brackets and quotation marks that belong together.

/// A bracket or quotation mark and its partner, as byte offsets of the two marks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Pair {
    pub(super) open: usize,
    pub(super) close: usize,
    mark: char,
}

impl Pair {
    /// Whether it is a bracket, as opposed to a quotation mark.
    pub(super) fn is_bracket(self) -> bool {
        is_bracket(self.mark)
    }
}

/// The pairs of a text, to be asked from left to right. A mark without a partner is in none.
#[derive(Debug, Default)]
pub(super) struct Enclosures {
    /// By the offset of the opening mark. Pairs are nested, they never overlap in part.
    pairs: Vec<Pair>,
    next: usize,
    around: Vec<Pair>,
}

/// Marks left open beyond this number are forgotten, oldest first; nobody nests so deep.
const DEEPEST: usize = 32;

impl Enclosures {
    pub(super) fn of(text: &str) -> Self {
        let mut pairs = Vec::new();
        let mut open: Vec<(usize, char)> = Vec::new();
        let mut stray = None;
        for (at, c) in text.char_indices().filter(|&(_, c)| closing(c) != '\0' || is_closing(c)) {
            if let Some(depth) = open.iter().rposition(|&(_, mark)| closing(mark) == c) {
                pairs.push(Pair { open: open[depth].0, close: at, mark: open[depth].1 });
                open.truncate(depth);
            } else if closing(c) == '\0' {
                // `۱)` is the head of an item, with nothing to open.
                stray = (!text[..at].ends_with(char::is_numeric)).then_some((at, c));
            } else if stray
                .take()
                .is_some_and(|(start, mark)| mark == closing(c) && at - start <= LONGEST_SWAP)
            {
                // Text that went through a visual-order converter has its brackets the wrong way round: `علی)
                // ع (`.
            } else {
                if open.len() == DEEPEST {
                    open.remove(0);
                }
                open.push((at, c));
            }
        }
        pairs.sort_unstable_by_key(|pair| pair.open);
        Self { pairs, ..Self::default() }
    }

    /// The pairs around byte `at`, outermost first. `at` must not be less than in the call before.
    pub(super) fn around(&mut self, at: usize) -> &[Pair] {
        while let Some(pair) = self.pairs.get(self.next).filter(|pair| pair.open < at) {
            // Only what is still open may lie under the new one, or depth would grow with the text.
            self.around.retain(|outer| outer.close > pair.open);
            self.around.push(*pair);
            self.next += 1;
        }
        self.around.retain(|pair| pair.close > at);
        &self.around
    }

    /// Whether a pair around byte `at` is closed at byte `close`.
    pub(super) fn closes(&mut self, at: usize, close: usize) -> bool {
        self.around(at).iter().any(|pair| pair.close == close)
    }
}

/// Most bytes between two brackets that stand the wrong way round.
const LONGEST_SWAP: usize = 64;

/// The mark that closes what `open` opens, or NUL where it opens nothing.
fn closing(open: char) -> char {
    match open {
        '(' => ')',
        '[' => ']',
        '{' => '}',
        '﴿' => '﴾',
        '«' => '»',
        '‹' => '›',
        '“' => '”',
        '‘' => '’',
        '"' => '"',
        _ => '\0',
    }
}

fn is_bracket(c: char) -> bool {
    matches!(c, '(' | '[' | '{' | ')' | ']' | '}')
}

/// Whether `c` closes a quotation or a bracket and can do nothing else.
pub(super) fn is_closing(c: char) -> bool {
    matches!(c, ')' | ']' | '}' | '﴾' | '»' | '›' | '”' | '’')
}

/// Whether `c` closes a quotation: a closing mark that is no bracket, or a mark that both opens and closes.
pub(super) fn is_closing_quote(c: char) -> bool {
    matches!(c, '»' | '›' | '”' | '’' | '"' | '\'')
}
