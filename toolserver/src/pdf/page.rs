//! Walks over what a page shows, within the budget of its document.

use std::collections::HashMap;
use std::rc::Rc;
use std::time::{Duration, Instant};

use lopdf::content::{Content, Operation};
use lopdf::{DecompressError, Dictionary, Document, Error, Object, ObjectId};

use super::font::Font;
use super::layout::{Layout, Piece};
use super::matrix::Matrix;
use crate::options::Options;
use crate::unusable::Unusable;

/// Forms within forms; real files have two or three levels.
const MAX_FORMS: usize = 12;
/// Saved graphics states; the format's own limit is 28.
const MAX_STATES: usize = 256;
/// Levels of the page tree that are searched for what a page inherits.
const MAX_ANCESTORS: usize = 64;

/// What is left for the document.
pub(super) struct Budget {
    deadline: Instant,
    limit: Duration,
    max_text: usize,
    text: usize,
    max_unpacked: usize,
    unpacked: usize,
}

impl Budget {
    pub(super) fn new(options: &Options, deadline: Instant) -> Self {
        Budget {
            deadline,
            limit: options.parse_timeout,
            max_text: options.max_text_bytes,
            text: options.max_text_bytes,
            max_unpacked: options.max_unpacked_bytes,
            unpacked: options.max_unpacked_bytes,
        }
    }

    fn check_time(&self) -> Result<(), Unusable> {
        if self.deadline <= Instant::now() { Err(Unusable::TooSlow(self.limit)) } else { Ok(()) }
    }

    fn take_text(&mut self, bytes: usize) -> Result<(), Unusable> {
        self.text = self.text.checked_sub(bytes).ok_or(Unusable::TooMuchText { max: self.max_text })?;
        Ok(())
    }

    fn take_unpacked(&mut self, content: lopdf::Result<Vec<u8>>) -> Result<Vec<u8>, Unusable> {
        let over = Unusable::Unpacked { max: self.max_unpacked };
        match content {
            Ok(content) => {
                self.unpacked = self.unpacked.checked_sub(content.len()).ok_or(over)?;
                Ok(content)
            }
            Err(Error::Decompress(DecompressError::MemoryLimitExceeded { .. })) => Err(over),
            Err(error) => Err(Unusable::Unreadable(format!("a page is damaged ({error})"))),
        }
    }
}

/// Reads the pages of one file.
pub(super) struct Walker<'a> {
    file: &'a Document,
    /// By the address of their dictionary, which the file owns.
    fonts: HashMap<*const Dictionary, Rc<Font>>,
}

#[derive(Clone)]
struct State {
    matrix: Matrix,
    font: Option<Rc<Font>>,
    size: f64,
    character_spacing: f64,
    word_spacing: f64,
    stretch: f64,
    leading: f64,
    rise: f64,
}

impl State {
    const START: State = State {
        matrix: Matrix::IDENTITY,
        font: None,
        size: 0.0,
        character_spacing: 0.0,
        word_spacing: 0.0,
        stretch: 1.0,
        leading: 0.0,
        rise: 0.0,
    };
}

/// Where the next text goes.
struct Cursor {
    line: Matrix,
    text: Matrix,
}

impl Cursor {
    const START: Cursor = Cursor { line: Matrix::IDENTITY, text: Matrix::IDENTITY };

    fn set(&mut self, matrix: Matrix) {
        self.line = matrix;
        self.text = matrix;
    }

    fn next_line(&mut self, x: f64, y: f64) {
        self.set(Matrix::translation(x, y).then(&self.line));
    }
}

impl<'a> Walker<'a> {
    pub(super) fn new(file: &'a Document) -> Self {
        Walker { file, fonts: HashMap::new() }
    }

    /// The text of a page.
    pub(super) fn page(&mut self, page: ObjectId, budget: &mut Budget) -> Result<String, Unusable> {
        budget.unpacked = budget.max_unpacked;
        let content = self.file.get_page_content_with_limit(page, budget.unpacked);
        let content = budget.take_unpacked(content)?;
        let mut layout = Layout::default();
        self.walk(&content, self.resources(page), State::START, MAX_FORMS, &mut layout, budget)?;
        Ok(layout.into_text())
    }

    /// The page's resources or those of its nearest ancestor; a ring of ancestors ends at the limit.
    fn resources(&self, page: ObjectId) -> Option<&'a Dictionary> {
        let mut node = self.file.get_dictionary(page).ok()?;
        for _ in 0..MAX_ANCESTORS {
            if let Ok(resources) = node.get_deref(b"Resources", self.file).and_then(Object::as_dict) {
                return Some(resources);
            }
            node = node.get_deref(b"Parent", self.file).and_then(Object::as_dict).ok()?;
        }
        None
    }

    fn walk(
        &mut self,
        content: &[u8],
        resources: Option<&'a Dictionary>,
        mut state: State,
        forms_left: usize,
        layout: &mut Layout,
        budget: &mut Budget,
    ) -> Result<(), Unusable> {
        let mut saved = Vec::new();
        let mut cursor = Cursor::START;
        for operation in Content::decode_iter(content) {
            budget.check_time()?;
            // What follows a syntax error cannot be understood; what stood before it can.
            let Ok(Operation { operator, operands }) = operation else { break };
            let number =
                |index: usize| operands.get(index).and_then(|operand| operand.as_float().ok()).map_or(0.0, f64::from);
            match operator.as_str() {
                "q" if saved.len() < MAX_STATES => saved.push(state.clone()),
                "Q" => state = saved.pop().unwrap_or(state),
                "cm" => {
                    if let Some(matrix) = Matrix::from_operands(&operands) {
                        state.matrix = matrix.then(&state.matrix);
                    }
                }
                "BT" => cursor = Cursor::START,
                "Tf" => {
                    let name = operands.first().and_then(|name| name.as_name().ok());
                    state.font = name.and_then(|name| self.font(resources?, name));
                    state.size = number(1);
                }
                "Tc" => state.character_spacing = number(0),
                "Tw" => state.word_spacing = number(0),
                "Tz" if !operands.is_empty() => state.stretch = number(0) / 100.0,
                "TL" => state.leading = number(0),
                "Ts" => state.rise = number(0),
                "Td" => cursor.next_line(number(0), number(1)),
                "TD" => {
                    state.leading = -number(1);
                    cursor.next_line(number(0), number(1));
                }
                "Tm" => {
                    if let Some(matrix) = Matrix::from_operands(&operands) {
                        cursor.set(matrix);
                    }
                }
                "T*" => cursor.next_line(0.0, -state.leading),
                "Tj" => show(operands.first(), &state, &mut cursor, layout, budget)?,
                "'" => {
                    cursor.next_line(0.0, -state.leading);
                    show(operands.first(), &state, &mut cursor, layout, budget)?;
                }
                "\"" => {
                    state.word_spacing = number(0);
                    state.character_spacing = number(1);
                    cursor.next_line(0.0, -state.leading);
                    show(operands.get(2), &state, &mut cursor, layout, budget)?;
                }
                "TJ" => {
                    for part in operands.first().and_then(|parts| parts.as_array().ok()).into_iter().flatten() {
                        match part.as_float() {
                            Ok(back) => {
                                let shift = -f64::from(back) / 1000.0 * state.size * state.stretch;
                                cursor.text = Matrix::translation(shift, 0.0).then(&cursor.text);
                            }
                            Err(_) => show(Some(part), &state, &mut cursor, layout, budget)?,
                        }
                    }
                }
                "Do" if 0 < forms_left => {
                    let name = operands.first().and_then(|name| name.as_name().ok());
                    if let (Some(name), Some(resources)) = (name, resources) {
                        self.form(name, resources, &state, forms_left - 1, layout, budget)?;
                    }
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// A form is a page within the page; pictures have no text.
    fn form(
        &mut self,
        name: &[u8],
        resources: &'a Dictionary,
        state: &State,
        forms_left: usize,
        layout: &mut Layout,
        budget: &mut Budget,
    ) -> Result<(), Unusable> {
        let Some(form) = self.entry(resources, b"XObject", name).and_then(|object| object.as_stream().ok()) else {
            return Ok(());
        };
        if !form.dict.get_deref(b"Subtype", self.file).and_then(Object::as_name).is_ok_and(|kind| kind == b"Form") {
            return Ok(());
        }
        let content = budget.take_unpacked(form.get_plain_content_with_limit(budget.unpacked))?;
        let matrix = form.dict.get_deref(b"Matrix", self.file).and_then(Object::as_array).ok();
        let matrix = matrix.and_then(|matrix| Matrix::from_operands(matrix)).unwrap_or(Matrix::IDENTITY);
        let resources = form.dict.get_deref(b"Resources", self.file).and_then(Object::as_dict).unwrap_or(resources);
        let state = State { matrix: matrix.then(&state.matrix), ..state.clone() };
        self.walk(&content, Some(resources), state, forms_left, layout, budget)
    }

    fn font(&mut self, resources: &'a Dictionary, name: &[u8]) -> Option<Rc<Font>> {
        let font = self.entry(resources, b"Font", name)?.as_dict().ok()?;
        let file = self.file;
        Some(self.fonts.entry(std::ptr::from_ref(font)).or_insert_with(|| Rc::new(Font::new(font, file))).clone())
    }

    fn entry(&self, resources: &'a Dictionary, kind: &[u8], name: &[u8]) -> Option<&'a Object> {
        let entries = resources.get_deref(kind, self.file).and_then(Object::as_dict).ok()?;
        entries.get_deref(name, self.file).ok()
    }
}

/// Shows one string and moves the cursor behind it.
fn show(
    string: Option<&Object>,
    state: &State,
    cursor: &mut Cursor,
    layout: &mut Layout,
    budget: &mut Budget,
) -> Result<(), Unusable> {
    let (Some(Object::String(string, _)), Some(font)) = (string, &state.font) else { return Ok(()) };
    let mut text = String::new();
    let mut advance = 0.0;
    for glyph in font.glyphs(string) {
        text.push_str(&glyph.text);
        let spacing = state.character_spacing + if glyph.is_space { state.word_spacing } else { 0.0 };
        advance += (glyph.width / 1000.0 * state.size + spacing) * state.stretch;
    }
    budget.take_text(text.len())?;
    let raised = Matrix::translation(0.0, state.rise).then(&cursor.text).then(&state.matrix);
    cursor.text = Matrix::translation(advance, 0.0).then(&cursor.text);
    let end = Matrix::translation(0.0, state.rise).then(&cursor.text).then(&state.matrix);
    if let Some((direction, _)) = raised.horizontal() {
        let size = state.size.abs() * raised.height();
        layout.add(&Piece { text: &text, start: raised.origin(), end: end.origin(), direction, size });
    }
    Ok(())
}
