//! XML as a small tree with places, without what makes XML dangerous: no document type, no entities but the five
//! that XML predefines, and a limit on everything.

use quick_xml::{
    NsReader, XmlVersion,
    escape::resolve_predefined_entity,
    events::{BytesRef, BytesStart, Event},
    name::{Namespace, ResolveResult},
};

use crate::{BYTES_MAX, Position, Told, What, told};

/// How deep elements may lie in each other: an envelope, a body, and five of the message.
const DEPTH_MAX: usize = 16;
/// Attributes of one element, at most.
const ATTRIBUTES_MAX: usize = 32;
const SOAP: &str = "http://schemas.xmlsoap.org/soap/envelope/";

/// Whose name it is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Space {
    /// The regulation's.
    Citizens,
    /// The envelope's.
    Soap,
    /// Nobody's.
    None,
    /// Somebody else's.
    Other,
}

/// An element.
pub(crate) struct Node {
    pub(crate) space: Space,
    pub(crate) name: String,
    pub(crate) at: Position,
    /// The text that stands in it, trimmed.
    pub(crate) text: String,
    pub(crate) attributes: Vec<(String, String)>,
    pub(crate) children: Vec<Node>,
}

impl Node {
    /// Whether neither it nor anything in it holds a text.
    pub(crate) fn is_empty(&self) -> bool {
        self.text.is_empty() && self.children.iter().all(Self::is_empty)
    }

    /// Its name where that can be told.
    pub(crate) fn shown(&self) -> &str {
        told::shown(&self.name)
    }
}

/// Reads a message into a tree. What is wrong is added to `told`; there is no tree where it cannot be read on.
pub(crate) fn parse(xml: &[u8], namespace: &str, told: &mut Vec<Told>) -> Option<Node> {
    let mut fatal = |at, what| {
        told.push(Told { place: "XML".to_owned(), at, what });
        None
    };
    if xml.len() > BYTES_MAX {
        return fatal(None, What::TooLarge(BYTES_MAX));
    }
    let Ok(text) = std::str::from_utf8(xml) else { return fatal(None, What::Encoding) };
    let text = text.strip_prefix('\u{FEFF}').unwrap_or(text);
    let mut parser = Parser {
        reader: NsReader::from_str(text),
        namespace,
        cursor: Cursor { text, offset: 0, at: Position { line: 1, column: 1 } },
        open: Vec::new(),
        root: None,
        told,
    };
    match parser.run() {
        Ok(root) => Some(root),
        Err(what) => {
            let at = Some(parser.cursor.at);
            parser.told.push(Told { place: "XML".to_owned(), at, what });
            None
        }
    }
}

/// Turns offsets, which only grow, into lines and columns.
struct Cursor<'a> {
    text: &'a str,
    offset: usize,
    at: Position,
}

impl Cursor<'_> {
    fn go(&mut self, offset: usize) -> Position {
        for c in self.text.get(self.offset..offset).unwrap_or_default().chars() {
            if c == '\n' {
                self.at = Position { line: self.at.line + 1, column: 1 };
            } else {
                self.at.column += 1;
            }
        }
        self.offset = self.offset.max(offset);
        self.at
    }
}

struct Parser<'a> {
    reader: NsReader<&'a [u8]>,
    namespace: &'a str,
    cursor: Cursor<'a>,
    open: Vec<Node>,
    root: Option<Node>,
    told: &'a mut Vec<Told>,
}

impl Parser<'_> {
    fn run(&mut self) -> Result<Node, What> {
        loop {
            let at = self.cursor.go(offset(self.reader.buffer_position()));
            let (space, event) = match self.reader.read_resolved_event() {
                Ok((resolved, event)) => (space(&resolved, self.namespace), event),
                Err(_) => {
                    self.cursor.go(offset(self.reader.error_position()));
                    return Err(What::NotWellFormed);
                }
            };
            match event {
                Event::Start(start) => self.start(space, &start, at)?,
                Event::Empty(start) => {
                    self.start(space, &start, at)?;
                    self.end()?;
                }
                Event::End(_) => self.end()?,
                Event::Text(text) => self.text(&text.xml10_content())?,
                Event::CData(text) => self.text(&text.xml10_content())?,
                Event::GeneralRef(reference) => self.reference(&reference, at)?,
                Event::DocType(_) => return Err(What::DocumentType),
                Event::Decl(declared) => match declared.encoding() {
                    Some(Ok(encoding)) if !encoding.eq_ignore_ascii_case("utf-8") => {
                        return Err(What::Encoding);
                    }
                    Some(Err(_)) => return Err(What::NotWellFormed),
                    Some(Ok(_)) | None => {}
                },
                Event::Comment(_) | Event::PI(_) => {}
                Event::Eof if self.open.is_empty() => {
                    return self.root.take().ok_or(What::NotWellFormed);
                }
                Event::Eof => return Err(What::NotWellFormed),
            }
        }
    }

    fn start(&mut self, space: Space, start: &BytesStart<'_>, at: Position) -> Result<(), What> {
        if self.open.len() == DEPTH_MAX {
            return Err(What::TooDeep);
        }
        if self.open.is_empty() && self.root.is_some() {
            return Err(What::NotWellFormed);
        }
        let mut attributes = Vec::new();
        for (count, attribute) in start.attributes().enumerate() {
            if count == ATTRIBUTES_MAX {
                return Err(What::NotWellFormed);
            }
            let attribute = attribute.map_err(|_| What::NotWellFormed)?;
            // An entity of its own is the only reason why a value cannot be read that is not also a fault of form.
            let value =
                attribute.normalized_value(XmlVersion::Implicit1_0).map_err(|_| What::Entity)?;
            attributes.push((attribute.key.into_inner().to_owned(), value.into_owned()));
        }
        let name = start.local_name().into_inner().to_owned();
        let (text, children) = (String::new(), Vec::new());
        self.open.push(Node { space, name, at, text, attributes, children });
        Ok(())
    }

    fn end(&mut self) -> Result<(), What> {
        let mut node = self.open.pop().ok_or(What::NotWellFormed)?;
        node.text = node.text.trim().to_owned();
        // No element of the regulation has text beside elements.
        if !node.children.is_empty() && !node.text.is_empty() {
            let (place, at) = (node.shown().to_owned(), Some(node.at));
            self.told.push(Told { place, at, what: What::Malformed });
        }
        match self.open.last_mut() {
            Some(host) => host.children.push(node),
            None => self.root = Some(node),
        }
        Ok(())
    }

    fn text(&mut self, text: &str) -> Result<(), What> {
        if !text.chars().all(is_xml_char) {
            return Err(What::NotWellFormed);
        }
        match self.open.last_mut() {
            Some(node) => node.text.push_str(text),
            None if text.trim().is_empty() => {}
            None => return Err(What::NotWellFormed),
        }
        Ok(())
    }

    fn reference(&mut self, reference: &BytesRef<'_>, at: Position) -> Result<(), What> {
        if reference.is_char_ref() {
            let c = reference.resolve_char_ref().ok().flatten().ok_or(What::NotWellFormed)?;
            return self.text(c.encode_utf8(&mut [0; 4]));
        }
        match resolve_predefined_entity(&reference.xml10_content()) {
            Some(text) => self.text(text),
            None => {
                self.told.push(Told { place: "XML".to_owned(), at: Some(at), what: What::Entity });
                Ok(())
            }
        }
    }
}

fn offset(position: u64) -> usize {
    usize::try_from(position).unwrap_or(usize::MAX)
}

fn space(resolved: &ResolveResult<'_>, namespace: &str) -> Space {
    match resolved {
        ResolveResult::Bound(Namespace(bound)) if *bound == namespace => Space::Citizens,
        ResolveResult::Bound(Namespace(SOAP)) => Space::Soap,
        ResolveResult::Unbound => Space::None,
        ResolveResult::Bound(_) | ResolveResult::Unknown(_) => Space::Other,
    }
}

/// Whether XML 1.0 can hold the character at all.
pub(crate) fn is_xml_char(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r' | '\u{20}'..='\u{D7FF}' | '\u{E000}'..='\u{FFFD}' | '\u{10000}'..)
}
