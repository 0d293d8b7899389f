use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;
use crate::model::{Logits, Rows};

/// A model that copies its source and counts what it holds; a source with `POISON` makes it panic.
struct Copier {
    spec: ModelSpec,
    rows: Arc<AtomicUsize>,
    /// More rows don't fit into memory.
    room: usize,
}

const POISON: u32 = 5;

/// A source and how much of it is copied.
type Copied = (Vec<u32>, usize);

impl Seq2Seq for Copier {
    type State = Rows<Copied>;

    fn spec(&self) -> &ModelSpec {
        &self.spec
    }

    fn encode(&self, sources: &[&[u32]]) -> Result<Rows<Copied>> {
        Ok(sources.iter().map(|source| (source.to_vec(), 0)).collect())
    }

    fn step(&self, state: &mut Rows<Copied>, _: &[u32], logits: &mut Logits) -> Result<()> {
        if state.rows.len() > self.room {
            return Err(Error::OutOfMemory(format!("{} rows", state.rows.len())));
        }
        self.rows.fetch_max(state.rows.len(), Ordering::Relaxed);
        let logits = logits.start_full(state.rows.len(), self.spec.vocabulary);
        for ((source, position), row) in
            state.rows.iter_mut().zip(logits.chunks_exact_mut(self.spec.vocabulary))
        {
            assert!(source[*position] != POISON, "poison");
            row.fill(-5.0);
            row[source[*position] as usize] = 5.0;
            // Sources without an end are decoded for ever.
            *position = (*position + 1).min(source.len() - 1);
        }
        Ok(())
    }
}

fn lane(config: &EngineConfig) -> (Lane, Arc<AtomicUsize>) {
    lane_with_room(config, usize::MAX)
}

fn lane_with_room(config: &EngineConfig, room: usize) -> (Lane, Arc<AtomicUsize>) {
    let spec = ModelSpec {
        source_vocabulary: 8,
        vocabulary: 8,
        start: 7,
        forced_first: None,
        end: 0,
        pad: 7,
        unknown: None,
        max_source: 1 << 20,
        max_target: 1 << 20,
    };
    let rows = Arc::new(AtomicUsize::new(0));
    let engine = Engine::start(Copier { spec, rows: rows.clone(), room }, config).unwrap();
    (engine.lane(Priority::Interactive), rows)
}

fn options(beam_size: usize) -> SearchOptions {
    SearchOptions { beam_size, max_tokens: 1 << 20, ..SearchOptions::default() }
}

#[tokio::test]
async fn sentences_of_all_lengths_and_beams_come_back_as_their_own() {
    let (lane, _) = lane(&EngineConfig { max_rows: 6, ..EngineConfig::default() });
    let one = |index: usize| {
        let lane = &lane;
        async move {
            let mut source: Vec<u32> =
                (0..index % 9).map(|i| 2 + u32::try_from((i + index) % 3).unwrap()).collect();
            source.push(0);
            let result = lane.translate(source.clone(), options(1 + index % 3)).await.unwrap();
            assert_eq!(result[0].ids, source);
        }
    };
    futures::future::join_all((0..300).map(one)).await;
}

#[tokio::test]
async fn ten_thousand_queued_sentences_never_hold_more_rows_than_allowed() {
    let config = EngineConfig { max_rows: 10, queue: 4, replicas: 1, ..EngineConfig::default() };
    let (lane, rows) = lane(&config);
    let sentences = (0..10_000).map(|_| lane.translate(vec![2, 3, 0], options(2)));
    let results = futures::future::join_all(sentences).await;
    assert!(results.into_iter().all(|result| result.unwrap()[0].ids == [2, 3, 0]));
    assert!(rows.load(Ordering::Relaxed) <= 10);
}

#[tokio::test]
async fn a_short_request_passes_a_long_one() {
    let config = EngineConfig { max_rows: 4, replicas: 1, ..EngineConfig::default() };
    let (long, _) = lane(&config);
    let short = Engine { shared: long.shared.clone() }.lane(Priority::Interactive);
    let mut sentences: Vec<_> =
        (0..200).map(|_| Box::pin(long.translate(vec![2, 3, 2, 3, 0], options(1)))).collect();
    for sentence in &mut sentences {
        assert!(futures::poll!(sentence).is_pending());
    }
    let short = short.translate(vec![2, 0], options(1));
    let long = futures::future::join_all(sentences);
    futures::pin_mut!(short, long);
    let first = futures::future::select(short, long).await;
    assert!(matches!(first, futures::future::Either::Left(_)), "it waited for all of the long one");
}

#[tokio::test]
async fn a_dropped_request_frees_its_place() {
    let (lane, _) = lane(&EngineConfig { max_rows: 1, replicas: 1, ..EngineConfig::default() });
    // Decoded for ever, and alone in the batch: nothing else is answered before it is gone.
    let mut endless = Box::pin(lane.translate(vec![3], options(1)));
    assert!(futures::poll!(&mut endless).is_pending());
    let engine = Engine { shared: lane.shared.clone() };
    while engine.stats().rows == 0 {
        tokio::task::yield_now().await;
    }
    let mut next = Box::pin(lane.translate(vec![2, 0], options(1)));
    assert!(futures::poll!(&mut next).is_pending());
    assert_eq!((engine.stats().queued, engine.stats().freed_rows), (1, 0));
    drop(endless);
    assert_eq!(next.await.unwrap()[0].ids, [2, 0]);
    assert_eq!((engine.stats().queued, engine.stats().freed_rows), (0, 1));
}

#[tokio::test]
async fn a_panic_fails_what_is_in_flight_and_nothing_after_it() {
    let (lane, _) = lane(&EngineConfig::default());
    let error = lane.translate(vec![2, POISON, 0], options(1)).await.unwrap_err();
    assert!(matches!(&error, Error::ReplicaFailed(words) if words == "poison"), "{error}");
    assert_eq!(lane.translate(vec![4, 0], options(1)).await.unwrap()[0].ids, [4, 0]);
}

#[tokio::test]
async fn what_does_not_fit_into_memory_is_decoded_in_smaller_batches() {
    let (lane, rows) = lane_with_room(&EngineConfig::default(), 5);
    let sentences = (0..100).map(|_| lane.translate(vec![2, 3, 4, 0], options(2)));
    let results = futures::future::join_all(sentences).await;
    assert!(results.into_iter().all(|result| result.unwrap()[0].ids == [2, 3, 4, 0]));
    assert!((2..=5).contains(&rows.load(Ordering::Relaxed)));
    let (lane, _) = lane_with_room(&EngineConfig::default(), 1);
    let error = lane.translate(vec![2, 3, 0], options(2)).await.unwrap_err();
    assert!(matches!(error, Error::OutOfMemory(_)), "{error}");
}

#[tokio::test]
async fn a_translation_is_looked_into_while_others_are_decoded() {
    let (lane, _) = lane(&EngineConfig { max_rows: 2, replicas: 1, ..EngineConfig::default() });
    let translations = (0..50).map(|_| lane.translate(vec![2, 3, 0], options(1)));
    let inspections = (0..50).map(|_| lane.inspect(vec![2, 3, 0], vec![2, 4, 0]));
    let (translations, inspections) =
        futures::join!(futures::future::join_all(translations), futures::future::join_all(inspections));
    assert!(translations.into_iter().all(|result| result.unwrap()[0].ids == [2, 3, 0]));
    for inspection in inspections.into_iter().map(Result::unwrap) {
        assert!(inspection.attention.is_empty(), "the copier doesn't align");
        let [first, second, third] = inspection.log_probs[..] else { panic!("one for each token") };
        // What is copied is all but certain; 4 is one of seven others.
        assert!(first > -0.001 && third > -0.001 && (second + 10.0).abs() < 0.01, "{first} {second} {third}");
    }
    let error = lane.inspect(vec![2, POISON, 0], vec![2, 2, 0]).await.unwrap_err();
    assert!(matches!(&error, Error::ReplicaFailed(_)), "{error}");
    assert!(lane.inspect(vec![2, 0], vec![2, 0]).await.is_ok());
}
