"""The sentences about whole files and about lines, in Italian and in English, by code."""

from typing import Final

# code: (Italian, English)
FILE: Final[dict[str, tuple[str, str]]] = {
    "empty": ("Il file è vuoto.", "The file is empty."),
    "too_large": (
        "Il file è più grande di {limit} MB: un'intera rete di scuole ne occupa molti meno.",
        "The file is larger than {limit} MB: a whole network of schools takes far less.",
    ),
    "unreadable": ("Il file non si può leggere.", "The file cannot be read."),
    "spreadsheet": (
        "È un foglio di calcolo, non un CSV. Aprirlo e salvarlo come «CSV UTF-8».",
        "This is a spreadsheet, not a CSV. Open it and save it as CSV UTF-8.",
    ),
    "other_kind": (
        "Questo file è di tipo {kind}: servono un CSV della segreteria o uno ZIP OneRoster.",
        "This file is {kind}: a secretariat's CSV or a OneRoster ZIP is needed.",
    ),
    "unknown_kind": (
        "Non è né uno ZIP OneRoster né un CSV della segreteria.",
        "This is neither a OneRoster ZIP nor a secretariat's CSV.",
    ),
    "utf16": (
        "Il testo è in UTF-16: salvarlo come «CSV UTF-8».",
        "The text is in UTF-16: save it as CSV UTF-8.",
    ),
    "binary": ("Il file non contiene testo leggibile.", "The file does not hold readable text."),
    "zip_damaged": (
        "Lo ZIP è incompleto o danneggiato: scaricarlo di nuovo dal programma che lo produce.",
        "The ZIP is truncated or damaged: export it again.",
    ),
    "zip_encrypted": (
        "Lo ZIP è protetto da password: esportarlo senza password.",
        "The ZIP is encrypted: export it without a password.",
    ),
    "zip_compression": (
        "Lo ZIP usa una compressione non ammessa ({file}): usare quella normale (deflate).",
        "The ZIP uses a compression that is not accepted ({file}): use the usual one (deflate).",
    ),
    "zip_too_many": (
        "Lo ZIP contiene troppi file (massimo {limit}).",
        "The ZIP holds too many files ({limit} at most).",
    ),
    "zip_bomb": (
        "Lo ZIP, una volta aperto, supererebbe {limit} MB o è compresso in modo anomalo: non viene aperto.",
        "Once opened the ZIP would exceed {limit} MB, or is compressed abnormally: it is not opened.",
    ),
    "zip_path": (
        "Lo ZIP contiene un percorso che esce dalla cartella: «{file}».",
        "The ZIP holds a path that leaves its folder: '{file}'.",
    ),
    "zip_duplicate": (
        "Nello ZIP il file «{file}» compare due volte.",
        "The file '{file}' is in the ZIP twice.",
    ),
    "zip_nested": (
        "Gli ZIP sono annidati troppo in profondità: è ammesso uno ZIP dentro l'altro, non di più.",
        "ZIPs are nested too deep: one inside another is accepted, not more.",
    ),
    "no_manifest": (
        "Nello ZIP manca manifest.csv: non è uno ZIP OneRoster.",
        "There is no manifest.csv in the ZIP: this is not OneRoster.",
    ),
    "member_missing": (
        "Nello ZIP manca {file}, che il manifest annuncia o che è indispensabile.",
        "{file} is missing from the ZIP: the manifest announces it, or it is indispensable.",
    ),
    "columns_missing": (
        "In {file} mancano le colonne: {columns}.",
        "Columns missing from {file}: {columns}.",
    ),
    "column_twice": (
        "In {file} la colonna «{column}» compare due volte: non si sa quale valga.",
        "Column '{column}' is in {file} twice: which one counts is unknown.",
    ),
    "header_unreadable": (
        "La riga delle intestazioni di {file} non si può leggere.",
        "The header line of {file} cannot be read.",
    ),
    "mapping_unknown": (
        "La corrispondenza delle colonne nomina «{column}», che non esiste.",
        "The column mapping names '{column}', which does not exist.",
    ),
    "mapping_secret": (
        "La corrispondenza delle colonne porta a una colonna di password, che non si legge mai.",
        "The column mapping leads to a password column, which is never read.",
    ),
}

ROWS: Final[dict[str, tuple[str, str]]] = {
    "no_rows": (
        "Ci sono le intestazioni ma nessuna riga di dati.",
        "There are headers but no data rows.",
    ),
    "more_problems": (
        "Altri {count} problemi non sono elencati.",
        "{count} more problems are not listed.",
    ),
    "columns_unknown": (
        "Colonne non previste, lasciate fuori: {columns}.",
        "Unknown columns, left out: {columns}.",
    ),
    "column_secret": (
        "La colonna contiene password: non viene letta.",
        "The column holds passwords: it is never read.",
    ),
    "column_unread_twice": (
        "La colonna compare due volte; non serve e non viene letta.",
        "The column is there twice; it is not needed and not read.",
    ),
    "header_misspelt": (
        "Intestazione scritta male: letta come «{column}».",
        "Misspelt header: read as '{column}'.",
    ),
    "cp1252": (
        "Il file non è in UTF-8: letto come Windows-1252. Controllare le lettere accentate.",
        "The file is not UTF-8: read as Windows-1252. Check the accented letters.",
    ),
    "mixed_encoding": (
        "Il file mescola UTF-8 e Windows-1252: controllare le lettere accentate da questa riga.",
        "The file mixes UTF-8 and Windows-1252: check the accented letters from this line on.",
    ),
    "undecodable": (
        "La riga contiene byte che non sono testo, né in UTF-8 né in Windows-1252.",
        "The line holds bytes that are text neither in UTF-8 nor in Windows-1252.",
    ),
    "line_too_long": ("La riga è troppo lunga.", "The line is too long."),
    "carriage_return": (
        "Nella riga c'è un ritorno a capo fuori posto.",
        "The line holds a misplaced carriage return.",
    ),
    "quotes": (
        "Le virgolette della riga non si chiudono o sono nel posto sbagliato.",
        "The quotes of the line are unbalanced or misplaced.",
    ),
    "ragged": (
        "La riga ha {found} campi, le intestazioni sono {expected}.",
        "The line has {found} fields, the headers are {expected}.",
    ),
    "manifest_says_absent": (
        "Il manifest dice che {file} non c'è: il file viene ignorato.",
        "The manifest says that {file} is absent: the file is ignored.",
    ),
    "manifest_value": (
        "Valore non previsto nel manifest ({property}): trattato come «bulk».",
        "Unexpected value in the manifest ({property}): taken as 'bulk'.",
    ),
    "version": (
        "Versione OneRoster «{version}» non nota: letta come 1.2.",
        "Unknown OneRoster version '{version}': read as 1.2.",
    ),
    "unzipped_folder": (
        "I CSV non sono alla radice dello ZIP: letti da «{folder}».",
        "The CSVs are not at the root of the ZIP: read from '{folder}'.",
    ),
}
