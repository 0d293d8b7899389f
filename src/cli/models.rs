//! `models list`.

use super::failure::{Failure, Outcome, print};
use crate::translator::{LoadOptions, Translator};

/// Lists the models that can be used by name.
pub(super) fn list(json: bool) -> Result<Outcome, Failure> {
    let models = Translator::built_in(&LoadOptions::default())?.models();
    let text = if json {
        serde_json::to_string_pretty(&models).map_err(std::io::Error::from)? + "\n"
    } else {
        let row = |name: &str, family: &str, pair: &str, licence: &str| {
            format!("{name:<16} {family:<8} {pair:<8} {licence}\n")
        };
        let rows = models.iter().map(|model| {
            let pair = format!("{}-{}", model.source_language, model.target_language);
            row(&model.name, &model.family, &pair, &model.licence)
        });
        row("NAME", "FAMILY", "PAIR", "LICENCE") + &rows.collect::<String>()
    };
    print(text.as_bytes())?;
    Ok(Outcome::Done)
}
