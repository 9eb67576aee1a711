//! The template, the fonts, and typst, which makes a PDF of both. Everything it reads is in this file's constants or was given.

use std::sync::LazyLock;

use time::OffsetDateTime;
use typst::{
    Library, LibraryExt as _, World,
    diag::{FileError, FileResult, SourceDiagnostic, Warned},
    foundations::{Bytes, Datetime, Duration, Smart},
    syntax::{FileId, RootedPath, Source, VirtualPath, VirtualRoot},
    text::{Font, FontBook},
    utils::LazyHash,
};
use typst_layout::PagedDocument;
use typst_pdf::{PdfOptions, PdfStandard, PdfStandards, Timestamp};

use crate::Error;

/// The template; the first is the one that the others are read from.
const TEMPLATE: [(&str, &str); 5] = [
    ("report.typ", include_str!("../template/report.typ")),
    ("frame.typ", include_str!("../template/frame.typ")),
    ("body.typ", include_str!("../template/body.typ")),
    ("table.typ", include_str!("../template/table.typ")),
    ("chart.typ", include_str!("../template/chart.typ")),
];
/// What the document says, for the template.
const CONTENT: &str = "content.json";
/// The report as it was given, for whoever checks it.
const GIVEN: &str = "lienthong-report.json";

/// Every letter of the document is of one of these.
static FONTS: LazyLock<Vec<Font>> = LazyLock::new(|| {
    let files: [&'static [u8]; 5] = [
        include_bytes!("../fonts/LiberationSerif-Regular.ttf"),
        include_bytes!("../fonts/LiberationSerif-Bold.ttf"),
        include_bytes!("../fonts/LiberationSerif-Italic.ttf"),
        include_bytes!("../fonts/LiberationSerif-BoldItalic.ttf"),
        include_bytes!("../fonts/LiberationMono-Regular.ttf"),
    ];
    files.into_iter().filter_map(|file| Font::new(Bytes::new(file), 0)).collect()
});

/// Whether every font has a character. A line's end is no character.
pub(crate) fn has(c: char) -> bool {
    c == '\n' || FONTS.iter().all(|font| font.info().coverage.contains(u32::from(c)))
}

/// All that typst sees.
struct Sealed {
    standard: LazyHash<Library>,
    book: LazyHash<FontBook>,
    main: FileId,
    sources: Vec<Source>,
    files: Vec<(FileId, Bytes)>,
    today: Option<Datetime>,
}

impl World for Sealed {
    fn library(&self) -> &LazyHash<Library> {
        &self.standard
    }

    fn book(&self) -> &LazyHash<FontBook> {
        &self.book
    }

    fn main(&self) -> FileId {
        self.main
    }

    fn source(&self, id: FileId) -> FileResult<Source> {
        let found = self.sources.iter().find(|source| source.id() == id);
        found.cloned().ok_or(FileError::AccessDenied)
    }

    fn file(&self, id: FileId) -> FileResult<Bytes> {
        let found = self.files.iter().find(|(file, _)| *file == id);
        found.map(|(_, bytes)| bytes.clone()).ok_or(FileError::AccessDenied)
    }

    fn font(&self, index: usize) -> Option<Font> {
        FONTS.get(index).cloned()
    }

    fn today(&self, _: Option<Duration>) -> Option<Datetime> {
        self.today
    }
}

fn file(name: &str) -> Result<FileId, Error> {
    let path = VirtualPath::new(name).map_err(|error| Error::Typeset(format!("{error:?}")))?;
    Ok(RootedPath::new(VirtualRoot::Project, path).intern())
}

/// The PDF of a content. It is of the moment at which the report was made, not of now.
pub(crate) fn pdf(
    content: Vec<u8>,
    given: Vec<u8>,
    made: OffsetDateTime,
) -> Result<Vec<u8>, Error> {
    let read = |(name, text): (&str, &str)| Ok(Source::new(file(name)?, text.to_owned()));
    let sources = TEMPLATE.into_iter().map(read).collect::<Result<Vec<_>, Error>>()?;
    let today = Datetime::from_ymd_hms(
        made.year(),
        made.month().into(),
        made.day(),
        made.hour(),
        made.minute(),
        made.second(),
    );
    // The same content has the same identifier, another has another.
    let ident = Smart::Custom(String::from_utf8_lossy(&content).into_owned());
    let world = Sealed {
        standard: LazyHash::new(Library::default()),
        book: LazyHash::new(FontBook::from_fonts(FONTS.iter())),
        main: file("report.typ")?,
        sources,
        files: vec![(file(CONTENT)?, Bytes::new(content)), (file(GIVEN)?, Bytes::new(given))],
        today,
    };
    let Warned { output, .. } = typst::compile::<PagedDocument>(&world);
    let document = output.map_err(|errors| told(&errors))?;
    let offset = i32::from(made.offset().whole_minutes());
    let options = PdfOptions {
        ident,
        creator: Smart::Custom(Some(
            concat!("lienthong-report ", env!("CARGO_PKG_VERSION")).into(),
        )),
        timestamp: today.and_then(|moment| Timestamp::new_local(moment, offset)),
        standards: PdfStandards::new(&[PdfStandard::A_3a])
            .map_err(|error| Error::Typeset(error.message().to_string()))?,
        ..PdfOptions::default()
    };
    typst_pdf::pdf(&document, &options).map_err(|errors| told(&errors))
}

fn told(errors: &[SourceDiagnostic]) -> Error {
    let told: Vec<_> = errors.iter().map(|error| error.message.to_string()).collect();
    Error::Typeset(told.join("; "))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "tests")]
    use super::*;

    /// Every letter of Vietnamese, with every tone, both cases.
    #[test]
    fn the_fonts_have_every_vietnamese_letter() {
        assert_eq!(FONTS.len(), 5);
        let letters = "aàáảãạăằắẳẵặâầấẩẫậbcdđeèéẻẽẹêềếểễệghiìíỉĩịklmnoòóỏõọôồốổỗộơờớởỡợpqrstuùúủũụưừứửữựvxyỳýỷỹỵ";
        assert_eq!(letters.chars().count(), 12 * 6 + 17);
        for c in letters.chars().chain(letters.to_uppercase().chars()) {
            assert!(has(c), "{c}");
        }
        for c in " .,;:/()–-%<>0123456789…“”[]+".chars() {
            assert!(has(c), "{:04X}", u32::from(c));
        }
        assert!(!has('本') && !has('😀'));
        let of_serif = FONTS.iter().take(4).all(|font| font.info().family == "Liberation Serif");
        assert!(of_serif);
    }
}
