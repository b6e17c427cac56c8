//! The component in tantivy's segment lifecycle: write, merge.

use std::any::Any;
use std::io::Write;

use tantivy::directory::TerminatingWrite;
use tantivy::index::SegmentComponent;
use tantivy::indexer::doc_id_mapping::{DocIdMapping, MappingType};
use tantivy::plugin::{PluginMergeContext, PluginWriter, PluginWriterContext, SegmentPlugin};
use tantivy::schema::document::ErasedDocument;
use tantivy::schema::{Field, Schema, Value as _};
use tantivy::{DocId, Segment, TantivyDocument};

use super::layout::EXTENSION;
use super::spaces::{SpacesBuilder, open_spaces};
use crate::engine_error::to_tantivy;
use crate::error::Error;
use crate::schema::{LATENTS_FIELD, decode_latents};

/// Registers the component with an index.
pub(crate) struct LatentsPlugin;

impl SegmentPlugin for LatentsPlugin {
    fn extensions(&self) -> &[&str] {
        &[EXTENSION]
    }

    fn create_writer(
        &self,
        context: &PluginWriterContext,
    ) -> tantivy::Result<Box<dyn PluginWriter>> {
        Ok(Box::new(Writer {
            field: context.segment.schema().get_field(LATENTS_FIELD)?,
            builder: SpacesBuilder::default(),
        }))
    }

    fn merge(&self, context: PluginMergeContext) -> tantivy::Result<()> {
        refuse_reordering(context.doc_id_mapping.mapping_type())?;
        let mut builder = SpacesBuilder::default();
        for segment in context.readers {
            let file = segment.open_read(component())?;
            let spaces = open_spaces(file.read_bytes()?).map_err(to_tantivy)?;
            for doc in segment.doc_ids_alive() {
                builder.push(spaces.iter().map(|space| space.row(doc).iter()));
            }
        }
        write(builder, context.target_segment)
    }
}

struct Writer {
    field: Field,
    builder: SpacesBuilder,
}

impl PluginWriter for Writer {
    fn add_document(
        &mut self,
        _doc: DocId,
        document: &dyn ErasedDocument,
        _schema: &Schema,
    ) -> tantivy::Result<()> {
        let document = document.as_any().downcast_ref::<TantivyDocument>();
        let values = document
            .into_iter()
            .flat_map(|document| document.get_all(self.field));
        let rows = values.map(|value| decode_latents(value.as_custom().unwrap_or_default()));
        self.builder.push(rows);
        Ok(())
    }

    fn serialize(
        self: Box<Self>,
        segment: &Segment,
        mapping: Option<&DocIdMapping>,
    ) -> tantivy::Result<()> {
        if mapping.is_some() {
            refuse_reordering(MappingType::Shuffled)?;
        }
        write(self.builder, segment)
    }

    fn mem_usage(&self) -> usize {
        self.builder.memory()
    }

    fn as_any(&self) -> &dyn Any {
        self
    }

    fn as_any_mut(&mut self) -> &mut dyn Any {
        self
    }
}

fn component() -> SegmentComponent {
    SegmentComponent::Custom(EXTENSION.to_owned())
}

fn write(builder: SpacesBuilder, segment: &Segment) -> tantivy::Result<()> {
    let bytes = builder.finish().map_err(to_tantivy)?;
    let mut file = segment.open_write(component())?;
    file.write_all(&bytes)?;
    file.terminate()?;
    Ok(())
}

/// Both components keep documents in the order of the source segments (their indexes are never
/// sorted), so a mapping that reorders is refused rather than misread.
pub(crate) fn refuse_reordering(mapping: MappingType) -> tantivy::Result<()> {
    if mapping == MappingType::Shuffled {
        return Err(to_tantivy(Error::internal(
            "a sorted index is not supported: documents keep their order in a segment",
        )));
    }
    Ok(())
}
