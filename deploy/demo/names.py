"""Names that are common enough to be nobody's, by the origin of a family. Latin spelling; some with their own script."""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Origin:
    """A family's names and language. `scripts` gives the spelling of a given name in its own script."""

    language: str
    families: tuple[str, ...]
    women: tuple[str, ...]
    men: tuple[str, ...]
    scripts: dict[str, str]
    # Family names that have a feminine form of their own.
    feminine: dict[str, str]


def _origin(
    language: str,
    families: str,
    women: str,
    men: str,
    scripts: dict[str, str] | None = None,
    feminine: dict[str, str] | None = None,
) -> Origin:
    def split(text: str) -> tuple[str, ...]:
        return tuple(name.strip() for name in text.split(","))

    return Origin(language, split(families), split(women), split(men), scripts or {}, feminine or {})


ITALIAN: Final = _origin(
    "it",
    "Rossi, Ferrari, Esposito, Bianchi, Romano, Colombo, Ricci, Marino, Greco, Bruno, Gallo, Conti, De Luca, Mancini, "
    "Costa, Giordano, Rizzo, Lombardi, Moretti, Barbieri, Fontana, Santoro, Mariani, Rinaldi, Caruso, Ferrara, Galli, "
    "Martini, Leone, Longo, Gentile, Martinelli, Vitale, Lombardo, Serra, Coppola, De Santis, D'Angelo, Marchetti, "
    "Parisi, Villa, Conte, Ferraro, Ferri, Fabbri, Bianco, Marini, Grasso, Valentini, Messina, Sala, De Angelis, "
    "Gatti, Pellegrini, Palumbo, Sanna, Farina, Rizzi, Monti, Cattaneo, Morelli, Amato, Silvestri, Mazza, Testa, "
    "Grassi, Pellegrino, Carbone, Giuliani, Benedetti, Barone, Rossetti, Caputo, Montanari, Guerra, Palmieri, "
    "Bernardi, Martino, Fiore, De Rosa, Ferretti, Bellini, Basile, Riva, Donati, Piras, Vitali, Battaglia, Sartori, "
    "Neri, Costantini, Milani, Pagano, Ruggiero, Sorrentino, D'Amico, Orlando, Negri, Nicolò, Dell'Òrto, Fò",
    "Giulia, Sofia, Aurora, Alice, Ginevra, Emma, Giorgia, Greta, Beatrice, Anna, Chiara, Sara, Martina, Francesca, "
    "Elena, Alessia, Matilde, Bianca, Camilla, Noemi, Arianna, Rebecca, Margherita, Laura, Silvia, Paola, Federica, "
    "Valentina, Roberta, Simona, Barbara, Daniela, Cristina, Maria Grazia, Anna Maria, Marta, Irene, Caterina, Lucia, "
    "Serena, Ilaria, Elisa, Agnese, Zoë",
    "Leonardo, Francesco, Lorenzo, Alessandro, Andrea, Mattia, Gabriele, Tommaso, Riccardo, Edoardo, Giuseppe, "
    "Antonio, Federico, Marco, Samuele, Diego, Giovanni, Luca, Pietro, Filippo, Matteo, Davide, Simone, Niccolò, "
    "Michele, Emanuele, Stefano, Paolo, Roberto, Massimo, Fabio, Claudio, Alberto, Daniele, Enrico, Salvatore, "
    "Vincenzo, Giorgio, Mauro, Luigi, Carlo, Sergio, Gian Marco, Josè",
)
ROMANIAN: Final = _origin(
    "ro",
    "Popescu, Ionescu, Popa, Radu, Dumitru, Stan, Stoica, Gheorghe, Rusu, Munteanu, Matei, Șerban, Lazăr, Țăranu",
    "Andreea, Ioana, Elena, Mihaela, Alexandra, Daria, Ștefania, Cristina, Ana-Maria, Loredana",
    "Andrei, Ștefan, Ionuț, Gabriel, Mihai, Alexandru, Darius, Cătălin, Vasile, Florin",
)
ALBANIAN: Final = _origin(
    "sq",
    "Hoxha, Shehu, Prifti, Dervishi, Gjoka, Leka, Marku, Kola, Çela, Hysa, Basha, Zefi",
    "Arta, Elira, Ermira, Klea, Besa, Drita, Anisa, Fjolla, Mirela, Teuta",
    "Ardit, Erion, Klajdi, Besnik, Ilir, Arben, Ergys, Genti, Fatmir, Luan",
)
ARABIC: Final = _origin(
    "ar",
    "El Amrani, Benali, Haddad, El Idrissi, Mansour, Khalil, Bouzid, Saidi, Abdelaziz, Fathy, Chaoui, Rahmani",
    "Fatima, Salma, Amina, Nour, Mariam, Khadija, Yasmine, Hiba, Aya, Samira",
    "Youssef, Omar, Karim, Adam, Hamza, Bilal, Ibrahim, Rachid, Mostafa, Amine",
    {"Nour": "نور", "Youssef": "يوسف", "Mariam": "مريم", "Omar": "عمر", "Hiba": "هبة"},
)
CHINESE: Final = _origin(
    "zh",
    "Hu, Chen, Lin, Wang, Zhang, Wu, Zheng, Huang, Xu, Zhou, Ye, Jin",
    "Yutong, Xinyi, Meiling, Jiayi, Siqi, Yan, Lihua, Xiaoyan, Wenjing, Sofia",
    "Haoran, Junjie, Yichen, Wei, Zihan, Jian, Guohua, Xiaolong, Matteo, Jiahao",
    {"Yutong": "雨桐", "Xinyi": "欣怡", "Haoran": "浩然", "Zihan": "子涵", "Jiahao": "嘉豪"},
)
UKRAINIAN: Final = _origin(
    "uk",
    "Shevchenko, Bondarenko, Kovalenko, Tkachenko, Koval, Melnyk, Oliinyk, Lysenko, Marchenko, Savchuk, Kovalskyi",
    "Oksana, Olena, Iryna, Sofiia, Daryna, Nataliia, Anastasiia, Yuliia, Solomiia, Halyna",
    "Andrii, Oleksandr, Maksym, Bohdan, Dmytro, Ivan, Artem, Taras, Mykola, Yaroslav",
    {"Daryna": "Дарина", "Taras": "Тарас"},
    {"Kovalskyi": "Kovalska"},
)
# Shares of families, in hundredths.
ORIGINS: Final[tuple[tuple[Origin, int], ...]] = (
    (ITALIAN, 76),
    (ROMANIAN, 7),
    (ALBANIAN, 5),
    (ARABIC, 5),
    (CHINESE, 4),
    (UKRAINIAN, 3),
)
