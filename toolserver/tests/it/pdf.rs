//! PDF files made for a test.

use lopdf::{Dictionary, Document, Object, ObjectId, Stream, dictionary};

/// A file whose pages have these content streams; fonts `/F` (Helvetica) and `/C` (Courier).
pub(crate) fn with_contents<'a>(contents: impl IntoIterator<Item = &'a str>) -> Document {
    with_resources(contents, |_| Dictionary::new())
}

/// The same with more resources.
pub(crate) fn with_resources<'a>(
    contents: impl IntoIterator<Item = &'a str>,
    more: impl FnOnce(&mut Document) -> Dictionary,
) -> Document {
    let mut file = Document::with_version("1.5");
    let font = |name: &str| dictionary! {"Type" => "Font", "Subtype" => "Type1", "BaseFont" => name, "Encoding" => "WinAnsiEncoding"};
    let mut resources = more(&mut file);
    if !resources.has(b"Font") {
        resources.set("Font", dictionary! {"F" => font("Helvetica"), "C" => font("Courier")});
    }
    let resources = file.add_object(resources);
    let tree = file.new_object_id();
    let kids: Vec<Object> = contents
        .into_iter()
        .map(|content| {
            let content = file.add_object(Stream::new(Dictionary::new(), content.as_bytes().to_vec()));
            file.add_object(dictionary! {"Type" => "Page", "Parent" => tree, "Contents" => content}).into()
        })
        .collect();
    let count = i64::try_from(kids.len()).unwrap();
    let media = vec![0.into(), 0.into(), 595.into(), 842.into()];
    let pages = dictionary! {"Type" => "Pages", "Kids" => kids, "Count" => count, "Resources" => resources, "MediaBox" => media};
    file.set_object(tree, pages);
    finish(&mut file, tree);
    file
}

fn finish(file: &mut Document, tree: ObjectId) {
    let catalog = file.add_object(dictionary! {"Type" => "Catalog", "Pages" => tree});
    file.trailer.set("Root", catalog);
    file.trailer
        .set("ID", vec![Object::string_literal("0123456789abcdef"), Object::string_literal("0123456789abcdef")]);
}

pub(crate) fn bytes(mut file: Document) -> Vec<u8> {
    let mut bytes = Vec::new();
    file.save_to(&mut bytes).unwrap();
    bytes
}

/// One page of lines.
pub(crate) fn of_lines(lines: &[&str]) -> Vec<u8> {
    let shown: String = lines.iter().map(|line| format!("({line}) Tj T*\n")).collect();
    bytes(with_contents([format!("BT /F 10 Tf 12 TL 50 800 Td\n{shown}ET").as_str()]))
}
