"""Made-up people, companies, addresses and telephone numbers, Russian and English."""

from __future__ import annotations

import random
from dataclasses import dataclass

from models import Language, LegalStatus


def words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


MEN = words(
    """
    Иван Алексей Дмитрий Сергей Андрей Михаил Николай Павел Роман Олег Виктор Егор Максим Артём Кирилл
    Илья Владимир Константин Тимур Глеб Пётр Юрий Степан Фёдор
    """
)
WOMEN = words(
    """
    Анна Мария Елена Ольга Наталья Татьяна Ирина Светлана Екатерина Дарья Юлия Полина Ксения Алина Вера
    Людмила Марина Софья Надежда Валентина
    """
)
SURNAMES = words(
    """
    Иванов Петров Сидоров Смирнов Кузнецов Попов Васильев Соколов Михайлов Новиков Фёдоров Морозов
    Волков Алексеев Лебедев Семёнов Егоров Павлов Козлов Степанов Николаев Орлов Андреев Макаров Никитин
    Захаров Зайцев Соловьёв Борисов Яковлев Григорьев Романов Воробьёв Сергеев Кузьмин Фролов
    Александров Дмитриев Королёв Гусев Киселёв Ильин Максимов Поляков Сорокин Виноградов Ковалёв Белов
    Медведев Антонов Тарасов Жуков Баранов Филиппов Комаров Давыдов Беляев Герасимов Богданов Осипов
    """
)
PATRONYMICS = (
    ("Иванович", "Ивановна"), ("Сергеевич", "Сергеевна"), ("Александрович", "Александровна"),
    ("Дмитриевич", "Дмитриевна"), ("Николаевич", "Николаевна"), ("Петрович", "Петровна"),
    ("Андреевич", "Андреевна"), ("Викторович", "Викторовна"), ("Михайлович", "Михайловна"),
)  # fmt: skip
FIRST_NAMES = words(
    """
    Alice James Emma Oliver Charlotte Harry Sophie George Lucy Thomas Hannah Daniel Grace Samuel Ella
    Benjamin Clara Lukas Anna Felix Marie Jonas Julia Paul Ivan Nora Victor Elena Martin Laura Simon Eva
    David Sarah Peter Monica Leo Ingrid Oscar Rita
    """
)
LAST_NAMES = words(
    """
    Smith Jones Taylor Brown Williams Wilson Johnson Davies Robinson Wright Thompson Evans Walker White
    Roberts Green Hall Wood Jackson Clarke Miller Schmidt Weber Fischer Wagner Becker Hoffmann Koch
    Richter Wolf Bernard Dubois Moreau Laurent Lefebvre Garcia Lopez Martinez Sanchez Jansen Visser
    Bakker Mulder Murphy Kelly Byrne Ryan Ivanov Novak Kowalski
    """
)
COMPANY_WORDS = words(
    """
    Ромашка Горизонт Вектор Меридиан Кедр Парус Гранит Союз Исток Маяк Орбита Полюс Радуга Сигма Спектр
    Тандем Титан Факел Формат Эталон Альтаир Байкал Восход Каскад Контур Лотос Магистраль Нева Оазис
    Пульс
    """
)
COMPANY_TRADES = words(
    """
    Строй Торг Сервис Медиа Логистика Софт Консалтинг Техника Мебель Фарм Авто Дизайн
    """
)
ENGLISH_WORDS = words(
    """
    Northwind Bluebird Harbour Willow Granite Summit Lakeside Redwood Silverline Amber Falcon Orchard
    Beacon Meadow Cobalt Juniper Maple Horizon Lantern Pioneer Quarry Riverside Sterling Thistle Vantage
    Westgate Yellowtail Zenith Kestrel Copper
    """
)
ENGLISH_TRADES = words(
    """
    Systems Trading Studio Logistics Media Software Consulting Partners Foods Design Labs
    """
)

CYRILLIC = "абвгдежзийклмнопрстуфхцчшщъыьэюяё"
LATIN = words("a b v g d e zh z i y k l m n o p r s t u f kh ts ch sh shch - y - e yu ya e")
TO_LATIN = {ord(letter): "" if latin == "-" else latin for letter, latin in zip(CYRILLIC, LATIN, strict=True)}
DOMAINS = ("example.com", "example.org", "example.net", "mail.example.com", "post.example.org")
REFERRAL_SOURCES = {
    Language.RU: ("Поиск в Яндексе", "Посоветовали знакомые", "Статья на форуме", "Выставка", "Реклама"),
    Language.EN: ("Search engine", "A colleague", "A review site", "A conference", "An advertisement"),
}


@dataclass(frozen=True)
class Country:
    """`phone` is a mobile number in E.164, each `x` a free digit; names are in `language`."""

    code: str
    language: Language
    phone: str
    time_zone: str
    cities: tuple[str, ...]
    company_form: str


COUNTRIES = {
    country.code: country
    for country in (
        Country(
            "RU", Language.RU, "+7916xxxxxxx", "Europe/Moscow",
            ("Москва", "Санкт-Петербург", "Казань", "Новосибирск", "Иркутск"), "ООО «{}»",
        ),
        Country("KZ", Language.RU, "+7701xxxxxxx", "Asia/Almaty", ("Алматы", "Астана"), "ТОО «{}»"),
        Country("BY", Language.RU, "+37533xxxxxxx", "Europe/Minsk", ("Минск", "Гомель"), "ООО «{}»"),
        Country("AM", Language.RU, "+37491xxxxxx", "Asia/Yerevan", ("Ереван", "Гюмри"), "ООО «{}»"),
        Country("DE", Language.EN, "+49151xxxxxxxx", "Europe/Berlin", ("Berlin", "Leipzig"), "{} GmbH"),
        Country("FR", Language.EN, "+3361xxxxxxx", "Europe/Paris", ("Paris", "Lyon"), "{} SARL"),
        Country("NL", Language.EN, "+3161xxxxxxx", "Europe/Amsterdam", ("Amsterdam", "Utrecht"), "{} B.V."),
        Country("ES", Language.EN, "+3461xxxxxxx", "Europe/Madrid", ("Madrid", "Valencia"), "{} S.L."),
        Country("GB", Language.EN, "+447400xxxxxx", "Europe/London", ("London", "Leeds"), "{} Ltd"),
        Country("IE", Language.EN, "+35385xxxxxxx", "Europe/Dublin", ("Dublin", "Cork"), "{} Ltd"),
        Country("US", Language.EN, "+1202555xxxx", "America/New_York", ("Washington", "Boston"), "{} Inc."),
        Country("CA", Language.EN, "+1416555xxxx", "America/Toronto", ("Toronto", "Ottawa"), "{} Ltd."),
    )
}  # fmt: skip


@dataclass(frozen=True)
class Person:
    """`formal` is the name with the patronymic, where there is one; `latin` is fit for a username."""

    name: str
    formal: str
    latin: str


@dataclass(frozen=True)
class Company:
    name: str
    latin: str


def latin(text: str) -> str:
    """`text` in small Latin letters."""
    return text.lower().translate(TO_LATIN)


def person(rng: random.Random, language: Language) -> Person:
    if language is Language.RU:
        return _russian(rng)
    first, last = rng.choice(FIRST_NAMES), rng.choice(LAST_NAMES)
    return Person(f"{first} {last}", f"{first} {last}", f"{first}.{last}".lower())


def _russian(rng: random.Random) -> Person:
    is_woman = rng.random() < 0.45
    first = rng.choice(WOMEN if is_woman else MEN)
    last = rng.choice(SURNAMES) + ("а" if is_woman else "")
    patronymic = rng.choice(PATRONYMICS)[is_woman]
    return Person(f"{first} {last}", f"{last} {first} {patronymic}", f"{latin(first)}.{latin(last)}")


def company(rng: random.Random, country: Country) -> Company:
    if country.language is Language.RU:
        word = rng.choice(COMPANY_WORDS)
        trade = rng.choice(COMPANY_TRADES) if rng.random() < 0.6 else ""
        joined = f"{word}-{trade}" if trade else word
        return Company(country.company_form.format(joined), latin(joined))
    word, trade = rng.choice(ENGLISH_WORDS), rng.choice(ENGLISH_TRADES)
    return Company(country.company_form.format(f"{word} {trade}"), f"{word}-{trade}".lower())


def phone(rng: random.Random, country: Country) -> str:
    """A mobile number of the country, E.164."""
    free = country.phone.count("x")
    return country.phone.rstrip("x") + str(rng.randrange(2 * 10 ** (free - 1), 10**free))


def address(rng: random.Random, country: Country) -> str:
    city, house = rng.choice(country.cities), rng.randint(1, 180)
    if country.language is Language.RU:
        street = rng.choice(("ул. Ленина", "ул. Садовая", "пр. Мира", "ул. Гагарина", "наб. Речная"))
        return f"{rng.randint(100, 690)}0{rng.randint(10, 99)}, {city}, {street}, д. {house}"
    street = rng.choice(("High Street", "Station Road", "Park Avenue", "Mill Lane", "Church Street"))
    return f"{house} {street}, {city}"


def ip_address(rng: random.Random) -> str:
    """An address of the networks kept for documentation."""
    if rng.random() < 0.1:
        return f"2001:db8:{rng.randrange(16**4):x}::{rng.randrange(1, 16**4):x}"
    return f"{rng.choice(('192.0.2', '198.51.100', '203.0.113'))}.{rng.randint(1, 254)}"


def tax_id(rng: random.Random, country: Country, legal_status: LegalStatus) -> str:
    """A tax number that looks right; a Russian one has the right check digits, of 10 digits for a company."""
    if country.code != "RU":
        return f"{country.code}{rng.randrange(10**8, 10**9)}"
    digits = [7, 7] + [rng.randint(0, 9) for _position in range(7 if legal_status is LegalStatus.COMPANY else 8)]
    weights = [3, 7, 2, 4, 10, 3, 5, 9, 4, 6, 8]
    for _check in range(1 if legal_status is LegalStatus.COMPANY else 2):
        total = sum(a * b for a, b in zip(digits, weights[-len(digits) :], strict=True))
        digits.append(total % 11 % 10)
    return "".join(map(str, digits))
