//! What a check can find.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// What a check found in a sentence's translation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Flag {
    /// The translation is empty though the source isn't.
    Empty,
    /// The translation repeats the source instead of translating it.
    SourceEcho,
    /// Letters in Arabic script are left in the translation.
    ArabicScriptLeft,
    /// The translation repeats itself in a loop.
    RepetitionLoop,
    /// The translation is far too long or too short for its source.
    LengthRatio,
    /// The numbers in the translation differ from those in the source.
    NumbersDiffer,
    /// The sentence was too long for the model and was translated clause by clause.
    SplitTooLong,
    /// The source isn't Persian.
    WrongLanguage,
    /// The translation reached the allowed number of tokens before its end.
    Truncated,
}

impl Flag {
    /// Every flag.
    pub const ALL: [Self; 9] = [
        Self::Empty,
        Self::SourceEcho,
        Self::ArabicScriptLeft,
        Self::RepetitionLoop,
        Self::LengthRatio,
        Self::NumbersDiffer,
        Self::SplitTooLong,
        Self::WrongLanguage,
        Self::Truncated,
    ];

    /// Its stable name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Empty => "empty",
            Self::SourceEcho => "source_echo",
            Self::ArabicScriptLeft => "arabic_script_left",
            Self::RepetitionLoop => "repetition_loop",
            Self::LengthRatio => "length_ratio",
            Self::NumbersDiffer => "numbers_differ",
            Self::SplitTooLong => "split_too_long",
            Self::WrongLanguage => "wrong_language",
            Self::Truncated => "truncated",
        }
    }

    /// What it means, for a reader.
    pub fn describe(self) -> &'static str {
        match self {
            Self::Empty => "the translation is empty",
            Self::SourceEcho => "the translation repeats the source",
            Self::ArabicScriptLeft => "Persian letters are left in the translation",
            Self::RepetitionLoop => "the translation repeats itself",
            Self::LengthRatio => "the translation is far too long or too short",
            Self::NumbersDiffer => "the numbers differ from the source's",
            Self::SplitTooLong => "the sentence was too long and was translated in parts",
            Self::WrongLanguage => "the source isn't Persian",
            Self::Truncated => "the translation was cut off at the allowed length",
        }
    }

    /// Whether another attempt could do better. What describes the source stays as it is.
    pub fn is_retryable(self) -> bool {
        !matches!(self, Self::SplitTooLong | Self::WrongLanguage)
    }

    /// How bad it is for a reader. One that makes a translation useless weighs more than all lesser ones together;
    /// what describes the source is the same for every attempt.
    fn weight(self) -> u32 {
        match self {
            Self::Empty => 400,
            Self::SourceEcho => 200,
            Self::RepetitionLoop => 40,
            Self::Truncated => 30,
            Self::LengthRatio => 20,
            Self::ArabicScriptLeft => 15,
            Self::NumbersDiffer => 10,
            Self::SplitTooLong | Self::WrongLanguage => 0,
        }
    }
}

impl Serialize for Flag {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

/// A set of flags.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Flags(u16);

impl Flags {
    /// Adds a flag.
    pub fn insert(&mut self, flag: Flag) {
        self.0 |= 1 << flag as u16;
    }

    /// Whether the flag is in the set.
    pub fn contains(self, flag: Flag) -> bool {
        self.0 & 1 << flag as u16 != 0
    }

    /// Whether there is none.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Number of flags.
    pub fn len(self) -> usize {
        self.0.count_ones() as usize
    }

    /// The flags of both sets.
    pub fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// The flags, in the order of [`Flag::ALL`].
    pub fn iter(self) -> impl Iterator<Item = Flag> {
        Flag::ALL.into_iter().filter(move |flag| self.contains(*flag))
    }

    /// How bad they are together for a reader; the lower the better. 0 where another attempt could gain nothing.
    pub fn severity(self) -> u32 {
        self.iter().map(Flag::weight).sum()
    }
}

impl FromIterator<Flag> for Flags {
    fn from_iter<I: IntoIterator<Item = Flag>>(flags: I) -> Self {
        let mut set = Self::default();
        flags.into_iter().for_each(|flag| set.insert(flag));
        set
    }
}

impl std::fmt::Debug for Flags {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_set().entries(self.iter()).finish()
    }
}

impl<'de> Deserialize<'de> for Flag {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        let found = Self::ALL.into_iter().find(|flag| flag.name() == name);
        found.ok_or_else(|| serde::de::Error::custom(format!("no flag is named {name:?}")))
    }
}

impl<'de> Deserialize<'de> for Flags {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Vec::<Flag>::deserialize(deserializer)?.into_iter().collect())
    }
}

impl Serialize for Flags {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.iter())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_keeps_each_flag_once_and_in_order() {
        let all: Flags = Flag::ALL.into_iter().rev().chain(Flag::ALL).collect();
        assert_eq!(all.iter().collect::<Vec<_>>(), Flag::ALL);
        assert_eq!(all.len(), Flag::ALL.len());
        assert!(Flag::ALL.is_sorted());
        let mut one = Flags::default();
        assert!(one.is_empty());
        one.insert(Flag::Truncated);
        assert!(one.contains(Flag::Truncated) && !one.contains(Flag::Empty));
        assert_eq!(one.union(all), all);
        assert_eq!(format!("{one:?}"), "{Truncated}");
    }

    #[test]
    fn names_are_distinct_and_in_snake_case() {
        let names: std::collections::HashSet<_> = Flag::ALL.into_iter().map(Flag::name).collect();
        assert_eq!(names.len(), Flag::ALL.len());
        assert!(names.iter().all(|name| name.chars().all(|c| c.is_ascii_lowercase() || c == '_')));
        assert_eq!(Flag::NumbersDiffer.name(), "numbers_differ");
    }

    #[test]
    fn only_what_an_attempt_could_mend_weighs() {
        for flag in Flag::ALL {
            assert_eq!(Flags::from_iter([flag]).severity() > 0, flag.is_retryable(), "{flag:?}");
        }
        let without =
            |worst: &[Flag]| Flag::ALL.into_iter().filter(|flag| !worst.contains(flag)).collect::<Flags>();
        let useless = [Flag::Empty, Flag::SourceEcho];
        assert!(Flags::from_iter([Flag::Empty]).severity() > without(&useless[..1]).severity());
        assert!(Flags::from_iter([Flag::SourceEcho]).severity() > without(&useless).severity());
    }
}
