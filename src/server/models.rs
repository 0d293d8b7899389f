//! The pages of `ListModels`.

use std::sync::Arc;

use crate::model::ModelInfo;
use crate::{Error, Result};

/// The size of a page when the client doesn't ask for one, and the largest.
const MAX_PAGE_SIZE: usize = 100;

/// One page of models.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Page<'a> {
    pub(super) models: &'a [Arc<ModelInfo>],
    /// Where the next page starts; empty on the last one.
    pub(super) next_token: String,
}

/// The page of at most `size` models that `token` names; the first one for an empty token.
///
/// A token is the name of its page's first model, so it stays good while models come and go around it.
pub(super) fn page<'a>(models: &'a [Arc<ModelInfo>], size: i32, token: &str) -> Result<Page<'a>> {
    let size = match usize::try_from(size) {
        Ok(0) => MAX_PAGE_SIZE,
        Ok(size) => size.min(MAX_PAGE_SIZE),
        Err(_) => {
            let remedy = "use a value from 1 to 100, or 0 for the default";
            return Err(Error::invalid("page_size", format!("{size} is negative"), remedy));
        }
    };
    let start = match token {
        "" => 0,
        token => models.iter().position(|model| model.name == token).ok_or_else(|| {
            let remedy = "use the next_page_token of an earlier answer, or none for the first page";
            Error::invalid("page_token", "it names no page", remedy)
        })?,
    };
    let end = models.len().min(start + size);
    let next_token = models.get(end).map(|model| model.name.clone()).unwrap_or_default();
    Ok(Page { models: &models[start..end], next_token })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn models(count: usize) -> Vec<Arc<ModelInfo>> {
        (0..count).map(|n| Arc::new(ModelInfo { name: format!("m{n}"), ..ModelInfo::default() })).collect()
    }

    #[test]
    fn pages_hold_every_model_once_and_in_order() {
        for count in 0..=5 {
            let models = models(count);
            for size in 1..=6 {
                let (mut seen, mut token) = (Vec::new(), String::new());
                loop {
                    let page = page(&models, size, &token).unwrap();
                    seen.extend_from_slice(page.models);
                    token = page.next_token;
                    if token.is_empty() {
                        break;
                    }
                }
                assert_eq!(seen, models, "{count} models by {size}");
            }
        }
    }

    #[test]
    fn sizes_are_defaulted_and_capped() {
        let models = models(150);
        assert_eq!(page(&models, 0, "").unwrap().models.len(), 100);
        assert_eq!(page(&models, i32::MAX, "m40").unwrap().models.len(), 100);
        assert_eq!(page(&models, i32::MAX, "m60").unwrap().models.len(), 90);
    }

    #[test]
    fn what_names_no_page_is_refused_by_its_field() {
        let models = models(3);
        for (size, token, field) in
            [(-1, "", "page_size"), (i32::MIN, "m1", "page_size"), (2, "m3", "page_token")]
        {
            let error = page(&models, size, token).unwrap_err();
            assert!(
                matches!(error, Error::InvalidArgument { field: named, .. } if named == field),
                "{error}"
            );
        }
    }
}
