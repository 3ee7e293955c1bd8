"""Tests that may take longer than the budget of their marker: seconds, and why.

The table only shrinks: lower SLOW_TESTS_AT_MOST when an entry goes.
"""

SLOW_TESTS_AT_MOST = 65
PAGES = "opens every page of the admin"
MATRIX = "sends a request to every address of the admin"
ROUTES = "sends many requests to every route of the API"
HASH = "hashes passwords as production does, which is slow on purpose"
CACHE = "waits until what a process remembers of a key is two seconds old"
MAIL = "waits for a mail server that answers late or refuses"
KILLS = "starts and kills real workers"
PACKAGES = "installs packages into an environment of its own"

SLOW_TESTS: dict[str, tuple[float, str]] = {
    "app/accounts/tests/test_auth.py::test_a_revoked_key_is_refused_within_two_seconds": (2.5, CACHE),
    "app/accounts/tests/test_keys.py::test_a_process_that_remembers_a_key_notices_a_suspension_within_two_seconds": (
        2.5,
        CACHE,
    ),
    "app/accounts/tests/test_lockout.py::test_right_passwords_do_not_count_against_an_office": (1.5, HASH),
    "app/accounts/tests/test_lockout.py::test_many_addresses_together_are_slowed_down_on_one_account": (1.5, HASH),
    "app/accounts/tests/test_password_reset.py"
    "::test_a_known_and_an_unknown_address_get_the_same_answer_in_the_same_time": (2.5, HASH),
    "app/accounts/tests/test_sessions.py::test_an_unknown_address_takes_as_long_as_a_known_one": (1.5, HASH),
    "app/analytics/tests/test_dashboard.py::test_a_hundred_thousand_messages_cost_under_a_second": (
        5.0,
        "writes a hundred thousand messages",
    ),
    "app/analytics/tests/test_dashboard.py::test_one_organisation_s_figures_do_not_read_another_s_rows": (
        1.0,
        "writes twenty thousand messages",
    ),
    "app/audit/tests/test_audit_verify.py::test_a_changed_column_is_found": (
        1.0,
        "changes every column of three entries",
    ),
    "app/audit/tests/test_audit_verify.py::test_a_long_trail_is_read_and_erased_to_its_end": (
        2.0,
        "writes a trail of more than one batch",
    ),
    "app/chat/tests/test_key_family.py::test_every_key_of_a_chain_opens_its_conversations_and_no_other_key_does": (
        1.0,
        "asks every route of a conversation with every key of a chain",
    ),
    "app/chat/tests/test_turn_ledger.py::test_the_books_balance_after_hundreds_of_random_ends": (
        30.0,
        "answers a thousand turns with --all",
    ),
    "app/library/tests/test_documents_api.py::test_the_largest_file_is_taken_and_one_byte_more_is_not": (
        2.0,
        "uploads 50 MB",
    ),
    "app/library/tests/test_documents_api.py::test_32_uploads_at_once_lose_nothing": (1.0, "uploads 32 files"),
    "app/library/tests/test_kill.py::test_killed_while_it_indexes": (25.0, KILLS),
    "tests/browser/test_scripts_browser.py::test_text_that_people_store_runs_on_no_page": (
        60.0,
        "opens every page of an organisation of attacks in Chromium",
    ),
    "tests/browser/test_first_answer.py::test_ask_and_check_the_source_with_a_model": (
        40.0,
        "starts a box again, and leaves two endless answers",
    ),
    "tests/stack/test_bundle.py::test_the_embedded_default_is_installed_without_an_index": (20.0, PACKAGES),
    "tests/stack/test_bundle.py::test_wheels_of_another_python_are_refused_plainly": (20.0, PACKAGES),
    "tests/stack/test_smoke.py::test_what_a_run_made_is_removed_and_nothing_else": (
        2.0,
        "compares the whole database before and after",
    ),
    "tests/system/test_admin.py::test_changes_and_actions_on_foreign_rows_change_nothing": (1.0, MATRIX),
    "tests/system/test_admin.py::test_every_page_opens_for_an_operator": (2.5, PAGES),
    "tests/system/test_admin.py::test_every_page_opens_for_an_owner_and_shows_nothing_foreign": (2.5, PAGES),
    "tests/system/test_admin.py::test_no_page_costs_more_than_twenty_queries": (5.0, PAGES),
    "tests/system/test_admin.py::test_pages_load_nothing_from_outside": (2.0, PAGES),
    "tests/system/test_admin.py::test_search_filters_and_choosers_stay_inside": (1.0, MATRIX),
    "tests/system/test_admin_bad_input.py::test_no_odd_request_makes_the_admin_fail": (1.0, MATRIX),
    "tests/system/test_admin_pages.py::test_names_with_markup_are_shown_as_they_are_written": (1.5, PAGES),
    "tests/system/test_admin_pages.py::test_three_organisations_of_many_rows_cost_no_page_more_than_twenty_queries": (
        7.0,
        PAGES,
    ),
    "tests/system/test_admin_relations.py::test_every_relation_of_every_form_refuses_rows_of_others": (1.5, MATRIX),
    "tests/system/test_admin_relations.py::test_fields_that_no_form_shows_are_not_taken_either": (1.5, MATRIX),
    "tests/system/test_bad_input.py::test_bad_requests_are_refused_and_never_fail": (
        4.0,
        "sends every bad request of a route",
    ),
    "tests/system/test_isolation.py::test_the_owner_does_reach_these_rows": (3.0, ROUTES),
    "tests/system/test_isolation_admin.py::test_a_foreign_row_is_answered_as_one_that_never_was": (3.0, MATRIX),
    "tests/system/test_isolation_admin.py::test_a_former_owner_gets_nothing": (3.0, MATRIX),
    "tests/system/test_isolation_admin.py::test_admins_of_a_suspended_organisation_get_nothing": (3.0, MATRIX),
    "tests/system/test_isolation_admin.py::test_another_organisation_s_admins_find_and_change_nothing": (15.0, MATRIX),
    "tests/system/test_isolation_admin.py::test_no_form_takes_a_foreign_row": (8.0, MATRIX),
    "tests/system/test_isolation_admin.py::test_the_organisation_s_own_admin_does_reach_these_rows": (5.0, MATRIX),
    "tests/system/test_isolation_admin.py::test_those_who_administer_nothing_get_nothing": (3.0, MATRIX),
    "tests/system/test_isolation_admin.py::test_without_a_session_every_address_leads_to_signing_in": (4.0, MATRIX),
    "tests/system/test_defence_in_depth.py::test_without_the_orm_s_filters_no_door_shows_or_changes_a_foreign_row": (
        3.0,
        ROUTES,
    ),
    "tests/system/test_isolation.py::test_a_foreign_id_is_answered_as_one_that_never_was": (1.5, ROUTES),
    "tests/system/test_isolation.py::test_another_organisation_s_people_and_keys_find_nothing": (2.0, ROUTES),
    "tests/system/test_isolation.py::test_naming_a_foreign_organisation_opens_nothing": (1.5, ROUTES),
    "tests/system/test_isolation.py::test_nobody_gets_into_a_suspended_organisation": (1.5, ROUTES),
    "tests/system/test_isolation_admin.py::test_choosers_offer_nothing_foreign": (1.5, MATRIX),
    "tests/system/test_isolation_pages.py::test_forms_of_another_organisation_s_owner_change_nothing_here": (
        1.5,
        "sends every form of the portal as everybody else",
    ),
    "tests/system/test_mass_assignment.py::test_a_json_body_with_another_column_is_refused": (
        1.5,
        "sends every column of every table to a route",
    ),
    "tests/system/test_isolation.py::test_dead_keys_open_nothing": (2.0, ROUTES),
    "app/accounts/tests/test_mail.py::test_a_wrong_login_is_a_failure_that_names_nothing": (3.5, MAIL),
    "app/accounts/tests/test_password_reset.py::test_a_mail_server_that_is_busy_is_tried_again": (4.0, MAIL),
    "tests/system/test_admin.py::test_rows_of_another_organisation_do_not_exist": (1.0, MATRIX),
    "tests/system/test_isolation.py::test_colleagues_do_not_see_each_other_s_conversations": (1.5, ROUTES),
    "tests/system/test_isolation.py::test_who_is_in_two_organisations_sees_one_at_once": (1.5, ROUTES),
    "tests/system/test_isolation.py::test_a_session_s_choice_of_organisation_is_the_only_one_in_sight": (1.5, ROUTES),
    "tests/system/test_isolation.py::test_a_lower_role_is_refused_what_is_above_it": (1.5, ROUTES),
    "tests/system/test_isolation.py::test_the_cookie_of_a_former_owner_opens_nothing": (1.0, ROUTES),
    "tests/system/test_isolation.py::test_a_dead_key_is_not_helped_by_a_session": (1.0, ROUTES),
    "tests/system/test_isolation.py::test_a_visitor_is_asked_to_sign_in": (1.0, ROUTES),
    "app/accounts/tests/test_lockout.py::test_a_person_gets_in_between_the_guesses_of_strangers": (1.5, HASH),
    "app/lib/tests/test_asgi_handler.py::test_a_stream_that_is_open_when_the_process_ends_is_no_failure": (
        2.0,
        "starts a web process and ends it",
    ),
    "app/lib/tests/test_error_reports.py::test_every_log_message_of_ours_is_a_constant": (1.0, "reads every file"),
    "app/llm/tests/test_embeddings.py::test_a_busy_server_is_asked_again_when_it_says": (
        2.5,
        "waits as long as the server says, in whole seconds",
    ),
    "app/privacy/tests/test_erasure_work.py::test_an_organisation_is_erased_while_a_worker_reads_its_documents": (
        20.0,
        KILLS,
    ),
}
