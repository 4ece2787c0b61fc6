//! Stores that stand before another one.

/// What such a store leaves to the one inside, as methods of its `impl Store`. How it appends and
/// looks up marks is its own affair.
macro_rules! as_the_store_inside {
    ($inside:ident) => {
        async fn read(
            &mut self,
            stream: &live_crew::engine::StreamId,
            after: u64,
            max_bytes: usize,
        ) -> Result<Vec<live_crew::store::StoredFrame>, live_crew::store::StoreError> {
            self.$inside.read(stream, after, max_bytes).await
        }

        async fn write_snapshot(
            &mut self,
            stream: &live_crew::engine::StreamId,
            one: live_crew::store::Snapshot,
        ) -> Result<(), live_crew::store::StoreError> {
            self.$inside.write_snapshot(stream, one).await
        }

        async fn snapshot(
            &mut self,
            stream: &live_crew::engine::StreamId,
            pick: live_crew::store::Pick,
        ) -> Result<Option<live_crew::store::Snapshot>, live_crew::store::StoreError> {
            self.$inside.snapshot(stream, pick).await
        }

        async fn prune(
            &mut self,
            stream: &live_crew::engine::StreamId,
            keep: &live_crew::store::Retention,
            now: live_crew::engine::Timestamp,
        ) -> Result<live_crew::store::Pruned, live_crew::store::StoreError> {
            self.$inside.prune(stream, keep, now).await
        }

        async fn streams(
            &mut self,
        ) -> Result<Vec<live_crew::store::StreamSummary>, live_crew::store::StoreError> {
            self.$inside.streams().await
        }

        async fn close(self) -> Result<(), live_crew::store::StoreError> {
            self.$inside.close().await
        }
    };
}

pub(crate) use as_the_store_inside;
