//! A PDF, read: its text page by page, the size of its pages, its fonts, what is attached. By `lopdf`.

use lopdf::{Dictionary, Document};

/// A PDF in memory.
pub(crate) struct Pdf(Document);

impl Pdf {
    pub(crate) fn read(bytes: &[u8]) -> Self {
        Self(Document::load_mem(bytes).unwrap())
    }

    /// The text of each page, with every run of white space as one space.
    pub(crate) fn pages(&self) -> Vec<String> {
        let pages = self.0.get_pages().into_keys();
        let text = |page| spaced(&self.0.extract_text(&[page]).unwrap());
        pages.map(text).collect()
    }

    /// The text of all pages.
    pub(crate) fn text(&self) -> String {
        self.pages().join(" ")
    }

    /// Width and height of each page, in points.
    pub(crate) fn sizes(&self) -> Vec<(f32, f32)> {
        let size = |id| {
            let page = self.0.get_dictionary(id).unwrap();
            let bounds = page.get(b"MediaBox").unwrap().as_array().unwrap();
            let at = |n: usize| bounds[n].as_float().unwrap();
            (at(2) - at(0), at(3) - at(1))
        };
        self.0.get_pages().into_values().map(size).collect()
    }

    /// Every font, and whether its file is within.
    pub(crate) fn fonts(&self) -> Vec<(String, bool)> {
        let mut fonts = Vec::new();
        for dictionary in self.dictionaries() {
            if !dictionary.has_type(b"FontDescriptor") {
                continue;
            }
            let name = dictionary.get(b"FontName").unwrap().as_name().unwrap();
            let within = [b"FontFile".as_slice(), b"FontFile2", b"FontFile3"];
            let within = within.iter().any(|key| dictionary.has(key));
            fonts.push((String::from_utf8(name.to_vec()).unwrap(), within));
        }
        fonts
    }

    /// What is attached under a name.
    pub(crate) fn attached(&self, name: &str) -> Vec<u8> {
        let file = self.dictionaries().find(|dictionary| {
            let named = dictionary.get(b"UF").or_else(|_| dictionary.get(b"F"));
            dictionary.has(b"EF")
                && named.is_ok_and(|n| lopdf::decode_text_string(n).is_ok_and(|text| text == name))
        });
        let embedded = file.unwrap().get(b"EF").unwrap().as_dict().unwrap();
        let stream = embedded.get(b"F").unwrap().as_reference().unwrap();
        let stream = self.0.get_object(stream).unwrap().as_stream().unwrap();
        stream.decompressed_content().unwrap_or_else(|_| stream.content.clone())
    }

    /// A text of the document's information.
    pub(crate) fn information(&self, key: &str) -> String {
        let info = self.0.trailer.get(b"Info").unwrap().as_reference().unwrap();
        let text = self.0.get_dictionary(info).unwrap().get(key.as_bytes()).unwrap();
        lopdf::decode_text_string(text).unwrap()
    }

    fn dictionaries(&self) -> impl Iterator<Item = &Dictionary> {
        self.0.objects.values().filter_map(|object| object.as_dict().ok())
    }
}

/// Every run of white space as one space.
pub(crate) fn spaced(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
