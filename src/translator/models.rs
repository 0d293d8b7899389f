//! The models of a translator, which come and go while others translate.

use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use super::loaded::LoadedModel;
use crate::engine::EngineStats;
use crate::model::{ModelInfo, ModelState};
use crate::{Error, Result};

/// Models by their names, the default first. The default stays.
pub(super) struct Models(RwLock<State>);

struct State {
    slots: Vec<Slot>,
    /// What the engines of models that have gone had done.
    gone: EngineStats,
}

enum Slot {
    Loading(Arc<ModelInfo>),
    Ready(Arc<LoadedModel>),
}

/// A name that is kept for a model which is being loaded; given up when dropped.
pub(super) struct Place<'a> {
    models: &'a Models,
    name: String,
}

impl Models {
    pub(super) fn new(default: LoadedModel) -> Self {
        let slots = vec![Slot::Ready(Arc::new(default))];
        Self(RwLock::new(State { slots, gone: EngineStats::default() }))
    }

    /// All models, those being loaded too.
    pub(super) fn infos(&self) -> Vec<Arc<ModelInfo>> {
        self.read().slots.iter().map(|slot| slot.info().clone()).collect()
    }

    /// The models that can be used.
    pub(super) fn ready(&self) -> Vec<Arc<LoadedModel>> {
        self.read().slots.iter().filter_map(Slot::ready).cloned().collect()
    }

    /// What the engines of all models have done so far.
    pub(super) fn stats(&self) -> EngineStats {
        let state = self.read();
        let present = state.slots.iter().filter_map(Slot::ready).map(|model| model.engine.stats());
        present.fold(state.gone, |sum, stats| sum + stats)
    }

    /// The model of a name, or the default.
    ///
    /// # Errors
    /// [`Error::UnknownModel`] with the names of those that can be used.
    pub(super) fn find(&self, name: Option<&str>) -> Result<Arc<LoadedModel>> {
        let state = self.read();
        let mut ready = state.slots.iter().filter_map(Slot::ready);
        let found = ready.find(|model| name.is_none_or(|name| model.info.name == name));
        found.cloned().ok_or_else(|| {
            let names = state.slots.iter().filter_map(Slot::ready).map(|model| model.info.name.as_str());
            Error::UnknownModel {
                name: name.unwrap_or_default().into(),
                known: names.collect::<Vec<_>>().join(", "),
            }
        })
    }

    /// Keeps a name for a model that is to be loaded.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] when there is a model of that name.
    pub(super) fn place(&self, name: &str) -> Result<Place<'_>> {
        let mut state = self.write();
        if state.slots.iter().any(|slot| slot.info().name == name) {
            let problem = format!("{name:?} is loaded already");
            return Err(Error::invalid("model", problem, "unload it first to load it anew"));
        }
        let info = ModelInfo { name: name.into(), state: ModelState::Loading, ..ModelInfo::default() };
        state.slots.push(Slot::Loading(Arc::new(info)));
        Ok(Place { models: self, name: name.into() })
    }

    /// Takes a model away. What is being translated with it goes on to its end.
    ///
    /// # Errors
    /// [`Error::UnknownModel`]; [`Error::InvalidArgument`] for the default.
    pub(super) fn remove(&self, name: &str) -> Result<()> {
        let model = self.find(Some(name))?;
        let mut state = self.write();
        if state.slots.first().is_some_and(|slot| slot.info().name == name) {
            let problem = format!("{name:?} is the default, which stays");
            return Err(Error::invalid("model", problem, "restart with another default"));
        }
        state.slots.retain(|slot| slot.info().name != name);
        state.gone = state.gone + EngineStats { queued: 0, ..model.engine.stats() };
        Ok(())
    }

    fn read(&self) -> RwLockReadGuard<'_, State> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, State> {
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Place<'_> {
    /// Puts the model in its place.
    pub(super) fn fill(self, model: LoadedModel) {
        let model = Arc::new(model);
        for slot in &mut self.models.write().slots {
            if slot.info().name == self.name {
                *slot = Slot::Ready(model.clone());
            }
        }
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.models
            .write()
            .slots
            .retain(|slot| !matches!(slot, Slot::Loading(info) if info.name == self.name));
    }
}

impl Slot {
    fn info(&self) -> &Arc<ModelInfo> {
        match self {
            Self::Loading(info) => info,
            Self::Ready(model) => &model.info,
        }
    }

    fn ready(&self) -> Option<&Arc<LoadedModel>> {
        match self {
            Self::Loading(_) => None,
            Self::Ready(model) => Some(model),
        }
    }
}
