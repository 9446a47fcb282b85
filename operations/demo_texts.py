"""What people write to each other in demo data, in both languages."""

from __future__ import annotations

from typing import NamedTuple

from models import Language

EN, RU = Language.EN, Language.RU


class Dialogue(NamedTuple):
    """A ticket: what the client asks, and what staff and client say after that, in turns."""

    subject: str
    question: str
    turns: tuple[str, ...]


DIALOGUES = {
    EN: (
        Dialogue(
            "The site answers slowly since this morning",
            "Hello,\n\nour shop takes more than ten seconds to open since about nine o'clock. Nothing "
            "was changed "
            "on our side. Could you have a look?",
            (
                "Hello,\n\nanother site was using all of the disk. We have moved it; please check now.",
                "Much better, thank you!",
            ),
        ),
        Dialogue(
            "How do I add a mailbox?",
            "Good day, where in the panel can I create one more mailbox for a colleague?",
            ("Good day! Under «Mail», «Add». The settings for mail programs stand beside the new address.",),
        ),
        Dialogue(
            "Invoice in the name of another company",
            "We have a new legal entity. Please issue next month's invoice in its name.",
            (
                "Please add the new payer and make it the default; the next invoice will name it.",
                "Done, thanks. Does the contract have to be changed as well?",
                "No, the terms of the offer hold for all payers of an account.",
            ),
        ),
        Dialogue(
            "Certificate has expired",
            "Browsers say that our certificate has expired yesterday. It should have been renewed by itself.",
            ("The domain did not point to us, so the check failed. Please set the A record back.",),
        ),
        Dialogue(
            "Larger plan without downtime",
            "Can we move to the next larger plan without the server being down, best at night?",
            ("Yes, one restart of about a minute is needed. Shall we do it tonight at 03:00?", "Yes please."),
        ),
        Dialogue("Cannot log in by SSH", "Since the restart my key is refused: Permission denied (publickey).", ()),
        Dialogue("Backup from last week", "We deleted a folder by mistake. Do you have a copy of last Tuesday?", ()),
    ),
    RU: (
        Dialogue(
            "Сайт медленно открывается с утра",
            "Добрый день!\n\nС девяти утра магазин открывается дольше десяти секунд. Мы ничего не меняли. "
            "Посмотрите, пожалуйста.",
            (
                "Здравствуйте!\n\nСоседний сайт занимал весь диск, мы его перенесли. Проверьте, пожалуйста.",
                "Стало гораздо быстрее, спасибо!",
            ),
        ),
        Dialogue(
            "Как добавить почтовый ящик?",
            "Здравствуйте, где в панели завести ещё один ящик для коллеги?",
            ("Здравствуйте! «Почта», затем «Создать». Настройки для программ показаны рядом с адресом.",),
        ),
        Dialogue(
            "Счёт на другое юридическое лицо",
            "У нас новое юридическое лицо. Выставите, пожалуйста, следующий счёт на него.",
            (
                "Добавьте нового плательщика в разделе «Плательщики» и сделайте его основным.",
                "Готово, спасибо. Договор тоже нужно менять?",
                "Нет, оферта действует для всех плательщиков лицевого счёта.",
            ),
        ),
        Dialogue(
            "Закончился сертификат",
            "Браузеры пишут, что сертификат вчера истёк. Он должен был продлиться сам.",
            ("Домен больше не указывал на нас, и проверка не прошла. Верните A-запись, и мы продлим.",),
        ),
        Dialogue(
            "Переход на старший тариф без простоя",
            "Можно ли перейти на следующий тариф без остановки сервера, лучше ночью?",
            ("Да, нужна одна перезагрузка примерно на минуту. Сделать сегодня в 03:00?", "Да, пожалуйста."),
        ),
        Dialogue("Не пускает по SSH", "После перезагрузки ключ не принимается: Permission denied (publickey).", ()),
        Dialogue("Копия за прошлую неделю", "Случайно удалили папку. Есть ли у вас копия за прошлый вторник?", ()),
    ),
}

VIOLATION = {
    EN: Dialogue(
        "Complaint about unsolicited mail",
        "Dear %s,\n\nwe have received complaints about mail sent from your server without the consent "
        "of those who "
        "got it. Please stop the mailing and tell us what happened before the deadline, or we shall "
        "have to stop "
        "your services.",
        ("The password of a mailbox was stolen. It is changed, the queue is empty.",),
    ),
    RU: Dialogue(
        "Жалоба на рассылку спама",
        "Здравствуйте, %s!\n\nМы получили жалобы на письма, которые ушли с вашего сервера без согласия "
        "получателей. "
        "Остановите рассылку и до указанного срока напишите, что произошло, иначе нам придётся приостановить "
        "ваши услуги.",
        ("Украли пароль от почтового ящика. Пароль сменили, очередь пуста.",),
    ),
}

# Subject and text per language, as they are sent to everybody.
NEWS = {
    EN: (
        "News of %project_name%: backups every six hours",
        (
            "Dear %client_person%,\n\nfrom now on we copy your data every six hours instead of once a day. "
            "You need not do anything, and the price stays the same.\n\n%admin_name%"
        ),
    ),
    RU: (
        "Новости %project_name%: копии каждые шесть часов",
        (
            "Здравствуйте, %client_person%!\n\nТеперь мы копируем данные каждые шесть часов, а не раз "
            "в день. Делать ничего не нужно, цена не меняется.\n\n%admin_name%"
        ),
    ),
}

NOTES = {
    EN: (
        "Calls in the evening only.",
        "Asks for a discount every year in December; got 5 % last time.",
        "Moves from another provider in stages, two sites are still there. Agreed with engineering.",
        "Wants invoices a week before the end of the period, to the accountant's address.",
        "Speaks for three more companies; ask which of them it is about.",
        "Test client of a partner, became a good customer.",
    ),
    RU: (
        "Звонить только вечером.",
        "Каждый декабрь просит скидку; в прошлый раз дали 5 %.",
        "Переезжает от другого провайдера по частям, два сайта ещё там. Перенос согласован с инженерами.",
        "Просит выставлять счета за неделю до конца периода, на почту бухгалтера.",
        "Представляет ещё три компании; уточнять, о какой идёт речь.",
        "Пришёл на тестовый период от партнёра, остался постоянным клиентом.",
    ),
}

REMARKS = {
    EN: (
        "Agreed by telephone: payment until the end of the month.",
        "Asked about a second line for the office.",
    ),
    RU: ("По телефону договорились об оплате до конца месяца.", "Интересовался вторым каналом для офиса."),
}

REASONS = {
    "good": {EN: "Pays in advance, never late.", RU: "Платит заранее, задержек не было."},
    "conflict": {EN: "Threatened to sue over one hour of downtime.", RU: "Угрожал судом из-за часа простоя."},
}

# Name, subject and text per language.
TEMPLATES: tuple[tuple[str, dict[Language, tuple[str, str]]], ...] = (
    (
        "Maintenance",
        {
            EN: (
                "Maintenance tonight",
                (
                    "Dear %client_person%,\n\ntonight from 02:00 to 04:00 we work on the network of "
                    "%project_name%. Your "
                    "services may be unreachable for some minutes.\n\n%admin_name%"
                ),
            ),
            RU: (
                "Работы сегодня ночью",
                (
                    "Здравствуйте, %client_person%!\n\nСегодня с 02:00 до 04:00 мы проводим работы в сети "
                    "%project_name%. Услуги могут быть недоступны несколько минут.\n\n%admin_name%"
                ),
            ),
        },
    ),
    (
        "Low balance",
        {
            EN: (
                "Your balance is %balance%",
                (
                    "Dear %client_person%,\n\nthe balance of your account is %balance%. Please top it "
                    "up here: "
                    "%panel_url%\n\n%admin_name%"
                ),
            ),
            RU: (
                "Ваш баланс: %balance%",
                (
                    "Здравствуйте, %client_person%!\n\nНа вашем лицевом счёте %balance%. Пополнить счёт "
                    "можно здесь: "
                    "%panel_url%\n\n%admin_name%"
                ),
            ),
        },
    ),
    (
        "Solved",
        {
            EN: (
                "",
                "Dear %client_person%,\n\nthis should work again. Tell us if not.\n\n%admin_name%",
            ),
            RU: (
                "",
                "Здравствуйте, %client_person%!\n\nВсё должно работать. Если нет, напишите.\n\n%admin_name%",
            ),
        },
    ),
    (
        "Complaint",
        {
            EN: (
                "Complaint about your service",
                (
                    "Dear %client_person%,\n\nwe have received a complaint about your service. Please "
                    "look into it and "
                    "answer before the deadline.\n\n%admin_name%"
                ),
            ),
            RU: (
                "Жалоба на вашу услугу",
                (
                    "Здравствуйте, %client_person%!\n\nМы получили жалобу на вашу услугу. Разберитесь, "
                    "пожалуйста, и "
                    "ответьте до указанного срока.\n\n%admin_name%"
                ),
            ),
        },
    ),
)
