//! Fields that are lists or objects.

use serde::de::{MapAccess, SeqAccess};

use super::coerce::{Coerce, Context, Typed};
use super::document;
use crate::codec::Wire;
use crate::text::Text;

/// A list keeps NULLs; an element of the wrong type is one.
impl Coerce for Vec<Option<Text>> {
    const WANTED: &'static str = "a list of texts";

    fn from_seq<'de, A: SeqAccess<'de>>(
        seq: A,
        context: &mut Context<'_>,
    ) -> Result<Option<Self>, A::Error> {
        elements(seq, context).map(Some)
    }
}

impl Coerce for Vec<Option<i32>> {
    const WANTED: &'static str = "a list of whole numbers of 32 bits";

    fn from_seq<'de, A: SeqAccess<'de>>(
        seq: A,
        context: &mut Context<'_>,
    ) -> Result<Option<Self>, A::Error> {
        elements(seq, context).map(Some)
    }
}

/// A list of objects; what is none is left out.
pub(super) struct Objects<W>(pub(super) Vec<W>);

impl<W: Wire> Coerce for Objects<W> {
    const WANTED: &'static str = "a list of objects";

    fn from_seq<'de, A: SeqAccess<'de>>(
        mut seq: A,
        context: &mut Context<'_>,
    ) -> Result<Option<Self>, A::Error> {
        let mut objects = Vec::new();
        let mut object = None;
        while seq.next_element_seed(Typed { context, slot: &mut object })?.is_some() {
            objects.extend(object.take().map(|Object(object)| object));
        }
        Ok(Some(Objects(objects)))
    }
}

/// An object.
pub(super) struct Object<W>(pub(super) W);

impl<W: Wire> Coerce for Object<W> {
    const WANTED: &'static str = "an object";

    fn from_map<'de, A: MapAccess<'de>>(
        map: A,
        context: &mut Context<'_>,
    ) -> Result<Option<Self>, A::Error> {
        let mut object = W::default();
        // Names of the inner object are no duplicates of those around it.
        let outer = context.state.enter();
        document::fields(map, &mut object, context.options, context.state)?;
        context.state.leave(context.name, outer);
        Ok(Some(Object(object)))
    }
}

fn elements<'de, T: Coerce, A: SeqAccess<'de>>(
    mut seq: A,
    context: &mut Context<'_>,
) -> Result<Vec<Option<T>>, A::Error> {
    let mut elements = Vec::new();
    let mut element = None;
    while seq.next_element_seed(Typed { context, slot: &mut element })?.is_some() {
        elements.push(element.take());
    }
    Ok(elements)
}
