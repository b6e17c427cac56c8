//! The component in tantivy's segment lifecycle: write, merge.

use std::any::Any;
use std::io::Write as _;
use std::sync::Arc;

use tantivy::directory::TerminatingWrite;
use tantivy::index::SegmentComponent;
use tantivy::indexer::doc_id_mapping::{DocIdMapping, MappingType};
use tantivy::plugin::{PluginMergeContext, PluginWriter, PluginWriterContext, SegmentPlugin};
use tantivy::schema::document::ErasedDocument;
use tantivy::schema::{Field, Schema, Value as _};
use tantivy::{DocId, Segment, TantivyDocument};

use super::reader::DenseLayout;
use super::{DenseReader, EXTENSION, Lineages, Source};
use crate::engine_error::to_tantivy;
use crate::latents::refuse_reordering;
use crate::schema::{VECTOR_FIELD, decode_vector};
use crate::segment_file::narrow;
use crate::vector::reciprocal_norm;

/// Registers the component with an index, and notes what merged segments are made of.
pub(crate) struct DensePlugin(pub Arc<Lineages>);

impl SegmentPlugin for DensePlugin {
    fn extensions(&self) -> &[&str] {
        &[EXTENSION]
    }

    fn create_writer(
        &self,
        context: &PluginWriterContext,
    ) -> tantivy::Result<Box<dyn PluginWriter>> {
        Ok(Box::new(Writer {
            field: context.segment.schema().get_field(VECTOR_FIELD)?,
            layout: DenseLayout::default(),
            vectors: Vec::new(),
        }))
    }

    fn merge(&self, context: PluginMergeContext) -> tantivy::Result<()> {
        refuse_reordering(context.doc_id_mapping.mapping_type())?;
        let mut sources = Vec::with_capacity(context.readers.len());
        let mut layout = DenseLayout::default();
        let mut lineage = Vec::with_capacity(context.readers.len());
        for segment in context.readers {
            let file = segment.open_read(component())?;
            let reader = DenseReader::open(file.read_bytes()?).map_err(to_tantivy)?;
            for doc in segment.doc_ids_alive() {
                let vector = reader
                    .row_of(doc)
                    .map(|row| (reader.dimension(), reader.reciprocal_norms()[row]));
                layout.push(vector).map_err(to_tantivy)?;
            }
            let kept = segment.doc_ids_alive().filter_map(|doc| reader.row_of(doc));
            lineage.push(Source {
                id: segment.segment_id(),
                n_rows: narrow(reader.n_rows(), "row count").map_err(to_tantivy)?,
                kept: kept.map(|row| row as u32).collect(),
            });
            sources.push((segment, reader));
        }
        let mut file = context.target_segment.open_write(component())?;
        layout.write(&mut file).map_err(to_tantivy)?;
        for (segment, reader) in &sources {
            for row in segment.doc_ids_alive().filter_map(|doc| reader.row_of(doc)) {
                file.write_all(bytemuck::cast_slice(reader.vector(row)))?;
            }
        }
        layout.write_padding(&mut file)?;
        let mut writer = layout.codes_writer();
        for (segment, reader) in &sources {
            let codes = reader.codes();
            for row in segment.doc_ids_alive().filter_map(|doc| reader.row_of(doc)) {
                writer.copy(codes.row(row), &mut file)?;
            }
        }
        writer.finish(&mut file)?;
        file.terminate()?;
        self.0.note(context.target_segment.id(), lineage);
        Ok(())
    }
}

struct Writer {
    field: Field,
    layout: DenseLayout,
    vectors: Vec<f32>,
}

impl PluginWriter for Writer {
    fn add_document(
        &mut self,
        _doc: DocId,
        document: &dyn ErasedDocument,
        _schema: &Schema,
    ) -> tantivy::Result<()> {
        let payload = document
            .as_any()
            .downcast_ref::<TantivyDocument>()
            .and_then(|document| document.get_first(self.field))
            .and_then(|value| value.as_custom());
        let start = self.vectors.len();
        let shape = payload.map(|bytes| {
            self.vectors.extend(decode_vector(bytes));
            let vector = &self.vectors[start..];
            (vector.len(), reciprocal_norm(vector))
        });
        self.layout.push(shape).map_err(to_tantivy)
    }

    fn serialize(
        self: Box<Self>,
        segment: &Segment,
        mapping: Option<&DocIdMapping>,
    ) -> tantivy::Result<()> {
        if mapping.is_some() {
            refuse_reordering(MappingType::Shuffled)?;
        }
        let mut file = segment.open_write(component())?;
        self.layout.write(&mut file).map_err(to_tantivy)?;
        file.write_all(bytemuck::cast_slice(&self.vectors))?;
        self.layout.write_padding(&mut file)?;
        let mut codes = self.layout.codes_writer();
        let vectors = self.vectors.chunks_exact(self.layout.dimension().max(1));
        for (vector, &norm) in vectors.zip(self.layout.reciprocal_norms()) {
            codes.push(vector, norm, &mut file)?;
        }
        codes.finish(&mut file)?;
        file.terminate()?;
        Ok(())
    }

    fn mem_usage(&self) -> usize {
        self.layout.memory() + self.vectors.capacity() * 4
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
