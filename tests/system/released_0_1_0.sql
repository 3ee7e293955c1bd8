-- The database of a box as version 0.1.0 made it before documents were known by their source (846c3c1), with two
-- organisations' rows in it.
-- pg_dump --no-owner --no-privileges --no-comments of that version's tables; its lines of settings left out.
-- Never change it: test_migrations.py upgrades it to today's tables.
CREATE FUNCTION public.refdesk_audit_guard() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
  IF TG_OP = 'UPDATE' AND TG_TABLE_NAME = 'accounts_auditdetail' THEN
    IF NEW.entry_id = OLD.entry_id AND NEW.organisation_id IS NOT DISTINCT FROM OLD.organisation_id
        AND NEW.content->'erased' = 'true'::jsonb AND NEW.content - 'erased' - 'seal' = '{}'::jsonb THEN
      RETURN NEW;
    END IF;
  END IF;
  RAISE EXCEPTION 'the audit trail is append-only' USING ERRCODE = 'insufficient_privilege';
END $$;
CREATE FUNCTION public.refdesk_scope() RETURNS uuid[]
    LANGUAGE sql STABLE PARALLEL SAFE
    AS $$
  SELECT string_to_array(nullif(nullif(current_setting('refdesk.scope', true), 'all'), ''), ',')::uuid[]
$$;
CREATE TABLE public.accounts_apikey (
    id uuid NOT NULL,
    name character varying(200) NOT NULL,
    prefix character varying(12) NOT NULL,
    key_hash character varying(64) NOT NULL,
    role character varying(10) NOT NULL,
    expires timestamp with time zone,
    revoked timestamp with time zone,
    last_used timestamp with time zone,
    created timestamp with time zone NOT NULL,
    created_by_id uuid,
    organisation_id uuid NOT NULL,
    scopes character varying(30)[] NOT NULL,
    plan_id character varying(50),
    replaced_by_id uuid,
    family uuid NOT NULL
);
ALTER TABLE ONLY public.accounts_apikey FORCE ROW LEVEL SECURITY;
CREATE TABLE public.accounts_auditdetail (
    entry_id uuid NOT NULL,
    content jsonb NOT NULL,
    organisation_id uuid
);
ALTER TABLE ONLY public.accounts_auditdetail FORCE ROW LEVEL SECURITY;
CREATE TABLE public.accounts_auditentry (
    id uuid NOT NULL,
    number bigint NOT NULL,
    at timestamp with time zone NOT NULL,
    action character varying(60) NOT NULL,
    target_kind character varying(40) NOT NULL,
    target character varying(64) NOT NULL,
    actor_kind character varying(12) NOT NULL,
    actor uuid,
    detail_hash character varying(64) NOT NULL,
    previous character varying(64) NOT NULL,
    hash character varying(64) NOT NULL,
    organisation_id uuid,
    CONSTRAINT accounts_auditentry_number_check CHECK ((number >= 0))
);
ALTER TABLE ONLY public.accounts_auditentry FORCE ROW LEVEL SECURITY;
CREATE TABLE public.accounts_audithead (
    id uuid NOT NULL,
    number bigint NOT NULL,
    hash character varying(64) NOT NULL,
    seal character varying(64) NOT NULL,
    organisation_id uuid,
    CONSTRAINT accounts_audithead_number_check CHECK ((number >= 0))
);
ALTER TABLE ONLY public.accounts_audithead FORCE ROW LEVEL SECURITY;
CREATE TABLE public.accounts_claimrule (
    id uuid NOT NULL,
    claim character varying(200) NOT NULL,
    value character varying(200) NOT NULL,
    role character varying(10) NOT NULL,
    created timestamp with time zone NOT NULL,
    organisation_id uuid NOT NULL
);
ALTER TABLE ONLY public.accounts_claimrule FORCE ROW LEVEL SECURITY;
CREATE TABLE public.accounts_identity (
    id uuid NOT NULL,
    issuer character varying(500) NOT NULL,
    subject character varying(255) NOT NULL,
    last_used timestamp with time zone,
    created timestamp with time zone NOT NULL,
    user_id uuid NOT NULL
);
CREATE TABLE public.accounts_invitation (
    id uuid NOT NULL,
    email character varying(254) NOT NULL,
    role character varying(10) NOT NULL,
    token_hash character varying(64) NOT NULL,
    expires timestamp with time zone NOT NULL,
    accepted timestamp with time zone,
    created timestamp with time zone NOT NULL,
    invited_by_id uuid,
    organisation_id uuid NOT NULL
);
ALTER TABLE ONLY public.accounts_invitation FORCE ROW LEVEL SECURITY;
CREATE TABLE public.accounts_membership (
    id uuid NOT NULL,
    role character varying(10) NOT NULL,
    created timestamp with time zone NOT NULL,
    user_id uuid NOT NULL,
    organisation_id uuid NOT NULL,
    by_rule boolean NOT NULL
);
ALTER TABLE ONLY public.accounts_membership FORCE ROW LEVEL SECURITY;
CREATE TABLE public.accounts_onetimetoken (
    id uuid NOT NULL,
    purpose character varying(20) NOT NULL,
    token_hash character varying(64) NOT NULL,
    expires timestamp with time zone NOT NULL,
    used timestamp with time zone,
    created timestamp with time zone NOT NULL,
    user_id uuid
);
CREATE TABLE public.accounts_organisation (
    id uuid NOT NULL,
    slug character varying(50) NOT NULL,
    name character varying(200) NOT NULL,
    chunk_tokens integer NOT NULL,
    chunk_overlap integer NOT NULL,
    created timestamp with time zone NOT NULL,
    plan_id character varying(50) NOT NULL,
    suspended timestamp with time zone,
    retention_days integer,
    accent character varying(7) NOT NULL,
    scheme character varying(5) NOT NULL,
    welcome character varying(300) NOT NULL,
    CONSTRAINT accounts_organisation_chunk_overlap_check CHECK ((chunk_overlap >= 0)),
    CONSTRAINT accounts_organisation_chunk_tokens_check CHECK ((chunk_tokens >= 0)),
    CONSTRAINT accounts_organisation_retention_days_check CHECK ((retention_days >= 0))
);
ALTER TABLE ONLY public.accounts_organisation FORCE ROW LEVEL SECURITY;
CREATE TABLE public.accounts_plan (
    name character varying(50) NOT NULL,
    title character varying(200) NOT NULL,
    requests_per_minute integer,
    tokens_per_minute integer,
    person_requests_per_minute integer,
    requests_per_month bigint,
    tokens_per_month bigint,
    soft_percent smallint NOT NULL,
    CONSTRAINT accounts_plan_person_requests_per_minute_check CHECK ((person_requests_per_minute >= 0)),
    CONSTRAINT accounts_plan_requests_per_minute_check CHECK ((requests_per_minute >= 0)),
    CONSTRAINT accounts_plan_requests_per_month_check CHECK ((requests_per_month >= 0)),
    CONSTRAINT accounts_plan_soft_percent_check CHECK ((soft_percent >= 0)),
    CONSTRAINT accounts_plan_tokens_per_minute_check CHECK ((tokens_per_minute >= 0)),
    CONSTRAINT accounts_plan_tokens_per_month_check CHECK ((tokens_per_month >= 0))
);
CREATE TABLE public.accounts_signin (
    id uuid NOT NULL,
    session_key character varying(40) NOT NULL,
    issuer character varying(500) NOT NULL,
    provider_session character varying(255) NOT NULL,
    address inet,
    agent character varying(300) NOT NULL,
    created timestamp with time zone NOT NULL,
    user_id uuid NOT NULL
);
CREATE TABLE public.accounts_user (
    password character varying(128) NOT NULL,
    last_login timestamp with time zone,
    id uuid NOT NULL,
    email character varying(254) NOT NULL,
    name character varying(200) NOT NULL,
    is_active boolean NOT NULL,
    is_operator boolean NOT NULL,
    created timestamp with time zone NOT NULL
);
CREATE TABLE public.auth_group (
    id integer NOT NULL,
    name character varying(150) NOT NULL
);
ALTER TABLE public.auth_group ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.auth_group_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.auth_group_permissions (
    id bigint NOT NULL,
    group_id integer NOT NULL,
    permission_id integer NOT NULL
);
ALTER TABLE public.auth_group_permissions ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.auth_group_permissions_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.auth_permission (
    id integer NOT NULL,
    name character varying(255) NOT NULL,
    content_type_id integer NOT NULL,
    codename character varying(100) NOT NULL
);
ALTER TABLE public.auth_permission ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.auth_permission_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.bots_bot (
    id uuid NOT NULL,
    slug character varying(50) NOT NULL,
    name character varying(200) NOT NULL,
    created timestamp with time zone NOT NULL,
    updated timestamp with time zone NOT NULL,
    organisation_id uuid NOT NULL,
    live_revision_id uuid,
    paused timestamp with time zone
);
ALTER TABLE ONLY public.bots_bot FORCE ROW LEVEL SECURITY;
CREATE TABLE public.bots_botrevision (
    id uuid NOT NULL,
    number integer NOT NULL,
    settings jsonb NOT NULL,
    created timestamp with time zone NOT NULL,
    bot_id uuid NOT NULL,
    created_by_id uuid,
    organisation_id uuid NOT NULL,
    CONSTRAINT bots_botrevision_number_check CHECK ((number >= 0))
);
ALTER TABLE ONLY public.bots_botrevision FORCE ROW LEVEL SECURITY;
CREATE TABLE public.bots_botsource (
    id bigint NOT NULL,
    bot_id uuid NOT NULL,
    organisation_id uuid NOT NULL,
    source_id uuid NOT NULL
);
ALTER TABLE ONLY public.bots_botsource FORCE ROW LEVEL SECURITY;
ALTER TABLE public.bots_botsource ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.bots_botsource_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.chat_citation (
    id uuid NOT NULL,
    n smallint NOT NULL,
    start integer NOT NULL,
    "end" integer NOT NULL,
    support double precision,
    chunk_id uuid NOT NULL,
    document_name character varying(255) NOT NULL,
    version integer NOT NULL,
    text text NOT NULL,
    place jsonb NOT NULL,
    as_of timestamp with time zone NOT NULL,
    document_id uuid,
    organisation_id uuid NOT NULL,
    message_id uuid NOT NULL,
    CONSTRAINT chat_citation_end_check CHECK (("end" >= 0)),
    CONSTRAINT chat_citation_n_check CHECK ((n >= 0)),
    CONSTRAINT chat_citation_start_check CHECK ((start >= 0)),
    CONSTRAINT chat_citation_version_check CHECK ((version >= 0))
);
ALTER TABLE ONLY public.chat_citation FORCE ROW LEVEL SECURITY;
CREATE TABLE public.chat_conversation (
    id uuid NOT NULL,
    title character varying(200) NOT NULL,
    created timestamp with time zone NOT NULL,
    updated timestamp with time zone NOT NULL,
    api_key_id uuid,
    bot_id uuid NOT NULL,
    organisation_id uuid NOT NULL,
    user_id uuid
);
ALTER TABLE ONLY public.chat_conversation FORCE ROW LEVEL SECURITY;
CREATE TABLE public.chat_message (
    id uuid NOT NULL,
    role character varying(10) NOT NULL,
    idempotency_key character varying(200) NOT NULL,
    content text NOT NULL,
    state character varying(12) NOT NULL,
    mode character varying(12) NOT NULL,
    model character varying(200) NOT NULL,
    tokens_in integer NOT NULL,
    tokens_out integer NOT NULL,
    timings jsonb NOT NULL,
    error_code character varying(40) NOT NULL,
    rating smallint,
    created timestamp with time zone NOT NULL,
    updated timestamp with time zone NOT NULL,
    conversation_id uuid NOT NULL,
    organisation_id uuid NOT NULL,
    reply_to_id uuid,
    revision_id uuid,
    being_read integer DEFAULT 0 NOT NULL,
    CONSTRAINT chat_message_being_read_check CHECK ((being_read >= 0)),
    CONSTRAINT chat_message_tokens_in_check CHECK ((tokens_in >= 0)),
    CONSTRAINT chat_message_tokens_out_check CHECK ((tokens_out >= 0))
);
ALTER TABLE ONLY public.chat_message FORCE ROW LEVEL SECURITY;
CREATE TABLE public.django_admin_log (
    id integer NOT NULL,
    action_time timestamp with time zone NOT NULL,
    object_id text,
    object_repr character varying(200) NOT NULL,
    action_flag smallint NOT NULL,
    change_message text NOT NULL,
    content_type_id integer,
    user_id uuid NOT NULL,
    CONSTRAINT django_admin_log_action_flag_check CHECK ((action_flag >= 0))
);
ALTER TABLE public.django_admin_log ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.django_admin_log_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.django_content_type (
    id integer NOT NULL,
    app_label character varying(100) NOT NULL,
    model character varying(100) NOT NULL
);
ALTER TABLE public.django_content_type ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.django_content_type_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.django_migrations (
    id bigint NOT NULL,
    app character varying(255) NOT NULL,
    name character varying(255) NOT NULL,
    applied timestamp with time zone NOT NULL
);
ALTER TABLE public.django_migrations ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.django_migrations_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.django_session (
    session_key character varying(40) NOT NULL,
    session_data text NOT NULL,
    expire_date timestamp with time zone NOT NULL
);
CREATE TABLE public.ingest_chunk (
    id uuid NOT NULL,
    "position" integer NOT NULL,
    text text NOT NULL,
    embed_text text NOT NULL,
    tokens integer NOT NULL,
    start integer NOT NULL,
    "end" integer NOT NULL,
    place jsonb NOT NULL,
    document_id uuid NOT NULL,
    organisation_id uuid NOT NULL,
    version_id uuid NOT NULL,
    CONSTRAINT ingest_chunk_end_check CHECK (("end" >= 0)),
    CONSTRAINT ingest_chunk_position_check CHECK (("position" >= 0)),
    CONSTRAINT ingest_chunk_start_check CHECK ((start >= 0)),
    CONSTRAINT ingest_chunk_tokens_check CHECK ((tokens >= 0))
);
ALTER TABLE ONLY public.ingest_chunk FORCE ROW LEVEL SECURITY;
CREATE TABLE public.ingest_embeddingcache (
    id uuid NOT NULL,
    model character varying(200) NOT NULL,
    content_hash bytea NOT NULL,
    vector bytea NOT NULL,
    organisation_id uuid NOT NULL
);
ALTER TABLE ONLY public.ingest_embeddingcache FORCE ROW LEVEL SECURITY;
CREATE TABLE public.ingest_job (
    id uuid NOT NULL,
    kind character varying(10) NOT NULL,
    targets jsonb NOT NULL,
    state character varying(10) NOT NULL,
    step character varying(10),
    attempt integer NOT NULL,
    deaths integer NOT NULL,
    lease_until timestamp with time zone,
    fence bigint NOT NULL,
    not_before timestamp with time zone,
    waiting_since timestamp with time zone,
    sent timestamp with time zone,
    bytes bigint NOT NULL,
    error_code character varying(40) NOT NULL,
    created timestamp with time zone NOT NULL,
    updated timestamp with time zone NOT NULL,
    document_id uuid,
    organisation_id uuid NOT NULL,
    version_id uuid,
    CONSTRAINT ingest_job_attempt_check CHECK ((attempt >= 0)),
    CONSTRAINT ingest_job_deaths_check CHECK ((deaths >= 0)),
    CONSTRAINT ingest_job_fence_check CHECK ((fence >= 0))
);
ALTER TABLE ONLY public.ingest_job FORCE ROW LEVEL SECURITY;
CREATE TABLE public.privacy_erasure (
    id uuid NOT NULL,
    state character varying(10) NOT NULL,
    percent smallint NOT NULL,
    attempt integer NOT NULL,
    deaths integer NOT NULL,
    lease_until timestamp with time zone,
    fence bigint NOT NULL,
    not_before timestamp with time zone,
    error_code character varying(40) NOT NULL,
    created timestamp with time zone NOT NULL,
    updated timestamp with time zone NOT NULL,
    kind character varying(12) NOT NULL,
    subject uuid NOT NULL,
    asked_by uuid,
    asked_by_kind character varying(12) NOT NULL,
    targets jsonb NOT NULL,
    receipt jsonb,
    finished timestamp with time zone,
    organisation_id uuid,
    CONSTRAINT privacy_erasure_attempt_check CHECK ((attempt >= 0)),
    CONSTRAINT privacy_erasure_deaths_check CHECK ((deaths >= 0)),
    CONSTRAINT privacy_erasure_fence_check CHECK ((fence >= 0)),
    CONSTRAINT privacy_erasure_percent_check CHECK ((percent >= 0))
);
ALTER TABLE ONLY public.privacy_erasure FORCE ROW LEVEL SECURITY;
CREATE TABLE public.privacy_export (
    id uuid NOT NULL,
    state character varying(10) NOT NULL,
    percent smallint NOT NULL,
    attempt integer NOT NULL,
    deaths integer NOT NULL,
    lease_until timestamp with time zone,
    fence bigint NOT NULL,
    not_before timestamp with time zone,
    error_code character varying(40) NOT NULL,
    created timestamp with time zone NOT NULL,
    updated timestamp with time zone NOT NULL,
    kind character varying(12) NOT NULL,
    conversations boolean NOT NULL,
    storage_key character varying(200) NOT NULL,
    bytes bigint NOT NULL,
    sha256 character varying(64) NOT NULL,
    counts jsonb NOT NULL,
    expires timestamp with time zone NOT NULL,
    organisation_id uuid NOT NULL,
    person_id uuid,
    requested_by_id uuid,
    CONSTRAINT privacy_export_attempt_check CHECK ((attempt >= 0)),
    CONSTRAINT privacy_export_deaths_check CHECK ((deaths >= 0)),
    CONSTRAINT privacy_export_fence_check CHECK ((fence >= 0)),
    CONSTRAINT privacy_export_percent_check CHECK ((percent >= 0))
);
ALTER TABLE ONLY public.privacy_export FORCE ROW LEVEL SECURITY;
CREATE TABLE public.privacy_retentionrun (
    id uuid NOT NULL,
    night date NOT NULL,
    counts jsonb NOT NULL,
    created timestamp with time zone NOT NULL,
    organisation_id uuid
);
ALTER TABLE ONLY public.privacy_retentionrun FORCE ROW LEVEL SECURITY;
CREATE TABLE public.sources_document (
    id uuid NOT NULL,
    name character varying(255) NOT NULL,
    media_type character varying(100) NOT NULL,
    bytes bigint NOT NULL,
    sha256 character varying(64) NOT NULL,
    state character varying(10) NOT NULL,
    step character varying(10),
    percent smallint NOT NULL,
    version integer NOT NULL,
    chunks integer NOT NULL,
    pages integer,
    error_code character varying(40) NOT NULL,
    error_message character varying(500) NOT NULL,
    created timestamp with time zone NOT NULL,
    updated timestamp with time zone NOT NULL,
    organisation_id uuid NOT NULL,
    uploaded_by_id uuid,
    source_id uuid NOT NULL,
    active_version_id uuid,
    CONSTRAINT sources_document_chunks_check CHECK ((chunks >= 0)),
    CONSTRAINT sources_document_pages_check CHECK ((pages >= 0)),
    CONSTRAINT sources_document_percent_check CHECK ((percent >= 0)),
    CONSTRAINT sources_document_version_check CHECK ((version >= 0))
);
ALTER TABLE ONLY public.sources_document FORCE ROW LEVEL SECURITY;
CREATE TABLE public.sources_documentversion (
    id uuid NOT NULL,
    number integer NOT NULL,
    state character varying(10) NOT NULL,
    storage_key character varying(200) NOT NULL,
    media_type character varying(100) NOT NULL,
    title character varying(500) NOT NULL,
    language character varying(10) NOT NULL,
    pages integer,
    chunks integer NOT NULL,
    embedding_model character varying(200) NOT NULL,
    warnings jsonb NOT NULL,
    created timestamp with time zone NOT NULL,
    document_id uuid NOT NULL,
    organisation_id uuid NOT NULL,
    CONSTRAINT sources_documentversion_chunks_check CHECK ((chunks >= 0)),
    CONSTRAINT sources_documentversion_number_check CHECK ((number >= 0)),
    CONSTRAINT sources_documentversion_pages_check CHECK ((pages >= 0))
);
ALTER TABLE ONLY public.sources_documentversion FORCE ROW LEVEL SECURITY;
CREATE TABLE public.sources_source (
    id uuid NOT NULL,
    name character varying(200) NOT NULL,
    kind character varying(20) NOT NULL,
    created timestamp with time zone NOT NULL,
    organisation_id uuid NOT NULL
);
ALTER TABLE ONLY public.sources_source FORCE ROW LEVEL SECURITY;
CREATE TABLE public.sources_versiontext (
    version_id uuid NOT NULL,
    blocks bytea NOT NULL,
    organisation_id uuid NOT NULL
);
ALTER TABLE ONLY public.sources_versiontext FORCE ROW LEVEL SECURITY;
CREATE TABLE public.usage_usageentry (
    id uuid NOT NULL,
    at timestamp with time zone NOT NULL,
    day date NOT NULL,
    kind character varying(10) NOT NULL,
    step character varying(10) NOT NULL,
    subject uuid,
    bot uuid,
    api_key uuid,
    "user" uuid,
    model character varying(200) NOT NULL,
    requests integer NOT NULL,
    tokens_in bigint NOT NULL,
    tokens_out bigint NOT NULL,
    tokens_embedded bigint DEFAULT 0 NOT NULL,
    organisation_id uuid NOT NULL
);
ALTER TABLE ONLY public.usage_usageentry FORCE ROW LEVEL SECURITY;
CREATE TABLE public.usage_usagetotal (
    id bigint NOT NULL,
    api_key uuid,
    month date NOT NULL,
    requests bigint NOT NULL,
    tokens_in bigint NOT NULL,
    tokens_out bigint NOT NULL,
    within_cap boolean NOT NULL,
    organisation_id uuid NOT NULL,
    CONSTRAINT usage_within_cap CHECK (within_cap)
);
ALTER TABLE ONLY public.usage_usagetotal FORCE ROW LEVEL SECURITY;
ALTER TABLE public.usage_usagetotal ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.usage_usagetotal_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
COPY public.accounts_apikey (id, name, prefix, key_hash, role, expires, revoked, last_used, created, created_by_id, organisation_id, scopes, plan_id, replaced_by_id, family) FROM stdin;
01a22013-f78c-74be-95c3-1bb9e8f1432e	alice	rk_-SePYy	fabae5bcf1f450601757e4aacdaba595518fa30dc2ae67bb32905683da0df179	owner	\N	\N	\N	2026-11-28 02:55:09.196647+00	01a22013-f739-77ba-be0d-b7f562db1abe	01a22013-f675-7610-b54f-ee0643d6e532	{chat,search,conversations,documents:read,documents:write,bots:read,bots:write,admin}	\N	\N	01a22013-f78c-74be-95c3-1bb9e8f1432e
01a22013-f808-7391-a78e-b749b42a48ed	bob	rk_X3-Vgd	666fe3b116c92b29990ff277db6cbd169a74a52a34bc2b4145c320748fc05759	viewer	\N	\N	\N	2026-11-28 02:55:09.320291+00	01a22013-f7df-7458-b522-6fe81a80e006	01a22013-f675-7610-b54f-ee0643d6e532	{chat,search,conversations,documents:read,documents:write,bots:read,bots:write,admin}	\N	\N	01a22013-f808-7391-a78e-b749b42a48ed
01a22013-f84a-7529-b76f-a33526deb7a4	charlie	rk_9cuvWX	9686da2c4d54a64f4f2cc005f53287f5a12dac7650aa9032d6d9ba6a1c5536b6	owner	\N	\N	\N	2026-11-28 02:55:09.387064+00	01a22013-f835-70ba-a989-43d91656bb1c	01a22013-f827-74a3-9e91-e0ae03c0651e	{chat,search,conversations,documents:read,documents:write,bots:read,bots:write,admin}	\N	\N	01a22013-f84a-7529-b76f-a33526deb7a4
01a22014-832d-7490-a72c-2fcf420f3d13	vale key	rk_Zqv2IT	da51baaacb418340dd58b92e8c12c8bcb5f0e0f92758d4bfd04c98fbab243a42	viewer	\N	\N	\N	2026-11-28 02:55:44.942107+00	\N	01a22013-f675-7610-b54f-ee0643d6e532	{chat,search,conversations,documents:read,documents:write,bots:read,bots:write,admin}	\N	\N	01a22014-832d-7490-a72c-2fcf420f3d13
01a22015-13ed-7463-bbae-6cbd8b54b0b5	buttermere key	rk_ZnUVnD	6fcc311d30b6e4aa02f283a066e54e53817dd7f059a713bdd9dbec22c4be92d4	viewer	\N	\N	\N	2026-11-28 02:56:21.997846+00	\N	01a22013-f827-74a3-9e91-e0ae03c0651e	{chat,search,conversations,documents:read,documents:write,bots:read,bots:write,admin}	\N	\N	01a22015-13ed-7463-bbae-6cbd8b54b0b5
\.
COPY public.accounts_auditdetail (entry_id, content, organisation_id) FROM stdin;
01a22013-f6c0-7301-ac43-825176434a40	{"salt": "b935e2e67c26dff48072fcdd48f6fd76", "actor": "Refdesk", "after": {"name": "Acme", "plan": "unlimited", "slug": "acme"}, "target": "Acme", "address": ""}	01a22013-f675-7610-b54f-ee0643d6e532
01a22013-f76d-71d5-80ec-42b9998c0c1a	{"salt": "64a433b24d3ddfec7ffa66b408ea6e1e", "actor": "Refdesk", "after": {"is_operator": false}, "target": "alice@example.org", "address": ""}	\N
01a22013-f786-7698-bd6a-f66db0b2747d	{"salt": "c16b87f5821c512517c73cb4248fda99", "actor": "Refdesk", "after": {"role": "owner"}, "target": "alice@example.org", "address": ""}	01a22013-f675-7610-b54f-ee0643d6e532
01a22013-f78e-7018-ae1c-6e4c3ff1672f	{"salt": "c61911424f41c2aa6ee26fca1f542557", "actor": "Refdesk", "after": {"plan": null, "role": "owner", "prefix": "rk_-SePYy", "scopes": ["chat", "search", "conversations", "documents:read", "documents:write", "bots:read", "bots:write", "admin"], "expires": null}, "target": "alice", "address": ""}	01a22013-f675-7610-b54f-ee0643d6e532
01a22013-f7e7-754d-b635-cd676e21da18	{"salt": "c9edd35210270f649bb230dc5a22947b", "actor": "Refdesk", "after": {"is_operator": false}, "target": "bob@example.org", "address": ""}	\N
01a22013-f7fd-769a-b845-9135b35fd918	{"salt": "6f102381bdb64a5c3b20d59a16345f93", "actor": "Refdesk", "after": {"role": "viewer"}, "target": "bob@example.org", "address": ""}	01a22013-f675-7610-b54f-ee0643d6e532
01a22013-f809-735b-a273-3c07ebeebe67	{"salt": "db39655da77bf72b0c13b0aa76132fc5", "actor": "Refdesk", "after": {"plan": null, "role": "viewer", "prefix": "rk_X3-Vgd", "scopes": ["chat", "search", "conversations", "documents:read", "documents:write", "bots:read", "bots:write", "admin"], "expires": null}, "target": "bob", "address": ""}	01a22013-f675-7610-b54f-ee0643d6e532
01a22013-f832-7736-ba0e-d408ce19d3f1	{"salt": "eebf86c064341741128c5ce955f37afa", "actor": "Refdesk", "after": {"name": "Other", "plan": "unlimited", "slug": "other"}, "target": "Other", "address": ""}	01a22013-f827-74a3-9e91-e0ae03c0651e
01a22013-f839-7442-a87d-2a827ffc4945	{"salt": "9510c21be8a0fe41a409fabc8266c9d5", "actor": "Refdesk", "after": {"is_operator": false}, "target": "charlie@example.org", "address": ""}	\N
01a22013-f849-7460-b838-9be38aca8790	{"salt": "6aaaa3a472ce3665423f4f1f89f23aad", "actor": "Refdesk", "after": {"role": "owner"}, "target": "charlie@example.org", "address": ""}	01a22013-f827-74a3-9e91-e0ae03c0651e
01a22013-f855-7642-8332-9013f8ed1e74	{"salt": "1f9ffebb7101aa8199f6efa08b74038f", "actor": "Refdesk", "after": {"plan": null, "role": "owner", "prefix": "rk_9cuvWX", "scopes": ["chat", "search", "conversations", "documents:read", "documents:write", "bots:read", "bots:write", "admin"], "expires": null}, "target": "charlie", "address": ""}	01a22013-f827-74a3-9e91-e0ae03c0651e
01a22013-fb21-7181-b58e-67bcd0a71e08	{"salt": "17a3f42e97a5fed9df3d42cac3b1b059", "actor": "Refdesk", "after": {"name": "Desk", "slug": "default", "greeting": "What would you like to know?", "starters": [], "llm_model": "", "agent_type": "rag", "max_tokens": 800, "retriever_k": 5, "temperature": 0.2, "refusal_text": "I could not find this in the documents.", "system_prompt": "", "chat_history_length": 6}, "target": "Desk", "address": ""}	01a22013-f675-7610-b54f-ee0643d6e532
01a22013-fb31-740a-8e99-8ad9fac3a3ed	{"salt": "dec8bad3c3c001f56f747a4af41eb336", "actor": "Refdesk", "after": {"name": "Uploads"}, "target": "Uploads", "address": ""}	01a22013-f675-7610-b54f-ee0643d6e532
01a22013-fb75-7178-9642-9a8b97147a37	{"salt": "4ec4f394c1017058159afb58d250a93f", "actor": "Refdesk", "after": {"bytes": 48, "source": "Uploads"}, "target": "handbook.md", "address": ""}	01a22013-f675-7610-b54f-ee0643d6e532
01a22014-2c23-7504-8fd6-bd21f8cdce04	{"salt": "685481695aa3042f84d803129d16fa3f", "actor": "Refdesk", "after": {"bytes": 48, "source": "Uploads"}, "target": "handbook.md", "address": ""}	01a22013-f675-7610-b54f-ee0643d6e532
01a22014-2c46-7479-aaed-2491ee88ed88	{"salt": "eb404c8741cbf9e11604cbe1dedfb208", "actor": "Refdesk", "after": {"bytes": 11, "source": "Uploads"}, "target": "handbook (2).md", "address": ""}	01a22013-f675-7610-b54f-ee0643d6e532
01a22014-2c69-7348-9e51-42167bda6ab2	{"salt": "a2343d4c443dac0317220f3ed3471f2e", "actor": "Refdesk", "after": {"bytes": 20, "source": "Uploads"}, "target": "handbook.md (2)", "address": ""}	01a22013-f675-7610-b54f-ee0643d6e532
01a22014-2c90-767a-8168-b2021d06ad42	{"salt": "2c80f334d103f4fca417ce029f6de549", "actor": "Refdesk", "after": {"bytes": 37, "source": "Uploads"}, "target": "handbook.md", "address": ""}	01a22013-f675-7610-b54f-ee0643d6e532
01a22014-2cb7-732d-a820-cd41d91ab8b3	{"salt": "167a7dd1087c54cfbb4adc77af9794eb", "actor": "Refdesk", "after": {"bytes": 859, "source": "Uploads"}, "target": "broken.pdf", "address": ""}	01a22013-f675-7610-b54f-ee0643d6e532
01a22014-59a1-76df-a077-fef17c25a639	{"salt": "d0eb75fcdd6acb99acefefa2b60ab958", "actor": "Refdesk", "after": {"state": "queued"}, "before": {"state": "ready"}, "target": "handbook.md", "address": ""}	01a22013-f675-7610-b54f-ee0643d6e532
01a22014-826c-714a-9601-2aee83861753	{"salt": "5e22aaa3cfeac5df525e7369b36e8b79", "actor": "Refdesk", "after": {"bytes": 9, "source": "Uploads"}, "target": "gone.txt", "address": ""}	01a22013-f675-7610-b54f-ee0643d6e532
01a22014-829d-73c4-8834-57876dc47247	{"salt": "75fb84d0c95013a63215ef98539e0e48", "actor": "Refdesk", "before": {"bytes": 9, "sha256": "4af740e6444901c7a901e371f2a91250fb6e7ebb13b50d1a5eebc3a05e80adbd", "source": "Uploads"}, "target": "gone.txt", "address": ""}	01a22013-f675-7610-b54f-ee0643d6e532
01a22014-82be-7088-81b0-cd3745edd867	{"salt": "be42edaf7f36e302b89d5fadaa468420", "actor": "Refdesk", "after": {"bytes": 10, "source": "Uploads"}, "target": "waiting.txt", "address": ""}	01a22013-f675-7610-b54f-ee0643d6e532
01a22014-82d5-7793-b1bf-382c27b88f02	{"salt": "39b9d0c37defd3f0d6a13573d5e6a498", "actor": "Refdesk", "after": {"state": "queued"}, "before": {"state": "ready"}, "target": "handbook.md", "address": ""}	01a22013-f675-7610-b54f-ee0643d6e532
01a22014-82e4-77c3-9655-def98e7ecbd6	{"salt": "a9ec3f5c7ebaf851f4314d3cb10450e8", "actor": "Refdesk", "after": {"name": "vale source"}, "target": "vale source", "address": ""}	01a22013-f675-7610-b54f-ee0643d6e532
01a22014-8308-74d6-92b8-ac69d853fe5c	{"salt": "0df407a1cc7fd9e3be00e5faee84d593", "actor": "Refdesk", "after": {"name": "vale bot", "slug": "vale-bot", "greeting": "What would you like to know?", "starters": [], "llm_model": "", "agent_type": "rag", "max_tokens": 800, "retriever_k": 5, "temperature": 0.2, "refusal_text": "I could not find this in the documents.", "system_prompt": "", "chat_history_length": 6}, "target": "vale bot", "address": ""}	01a22013-f675-7610-b54f-ee0643d6e532
01a22014-8321-748d-b1e4-191e738afe86	{"salt": "bb2636b7fb0893eea77dc3eadf92a2a0", "actor": "Refdesk", "after": {"role": "viewer"}, "target": "vale@example.org", "address": ""}	01a22013-f675-7610-b54f-ee0643d6e532
01a22014-832e-744d-ba80-57816e662fc8	{"salt": "aee093c663bc2523eed769cd10e99293", "actor": "Refdesk", "after": {"plan": null, "role": "viewer", "prefix": "rk_Zqv2IT", "scopes": ["chat", "search", "conversations", "documents:read", "documents:write", "bots:read", "bots:write", "admin"], "expires": null}, "target": "vale key", "address": ""}	01a22013-f675-7610-b54f-ee0643d6e532
01a22014-834c-7658-b81c-43853e22fcc7	{"salt": "a686cc5c2c7d375a5244a54aa2d45b87", "actor": "Refdesk", "after": {"title": "A plan of its own"}, "target": "A plan of its own", "address": ""}	\N
01a22014-83a9-73a5-8b00-46447903dbd7	{"salt": "872d0c54f8d98755e9a01caaed84416e", "actor": "Refdesk", "after": {"name": "Desk", "slug": "default", "greeting": "What would you like to know?", "starters": [], "llm_model": "", "agent_type": "rag", "max_tokens": 800, "retriever_k": 5, "temperature": 0.2, "refusal_text": "I could not find this in the documents.", "system_prompt": "", "chat_history_length": 6}, "target": "Desk", "address": ""}	01a22013-f827-74a3-9e91-e0ae03c0651e
01a22014-83d4-70e2-ad16-c73793d1bd82	{"salt": "23f636854e668039affc3c1bf872907c", "actor": "Refdesk", "after": {"name": "Uploads"}, "target": "Uploads", "address": ""}	01a22013-f827-74a3-9e91-e0ae03c0651e
01a22014-b1a0-7495-a1d6-2f462d81aee4	{"salt": "4d02274f53a48de46e9ae2612fb7d24d", "actor": "Refdesk", "after": {"bytes": 54, "source": "Uploads"}, "target": "handbook.md", "address": ""}	01a22013-f827-74a3-9e91-e0ae03c0651e
01a22014-b1cd-7244-b375-7bac2f6255f6	{"salt": "2824548a419a90ee80b2be1fa42c1e82", "actor": "Refdesk", "after": {"bytes": 26, "source": "Uploads"}, "target": "handbook.md (2)", "address": ""}	01a22013-f827-74a3-9e91-e0ae03c0651e
01a22014-b230-7539-9047-ce0f6769a252	{"salt": "cd7dd39a4a40b3c5773d2ada8df81643", "actor": "Refdesk", "after": {"bytes": 859, "source": "Uploads"}, "target": "broken.pdf", "address": ""}	01a22013-f827-74a3-9e91-e0ae03c0651e
01a22014-e1d4-74c8-ba80-3c9ed78cac80	{"salt": "f1498c489601b00118df702ebf9b8d2d", "actor": "Refdesk", "after": {"state": "queued"}, "before": {"state": "ready"}, "target": "handbook.md", "address": ""}	01a22013-f827-74a3-9e91-e0ae03c0651e
01a22015-12fa-775d-bfee-2d5a5f259119	{"salt": "ff4f118fa4d6b0c55605d24a0d0f47f3", "actor": "Refdesk", "after": {"bytes": 16, "source": "Uploads"}, "target": "waiting.txt", "address": ""}	01a22013-f827-74a3-9e91-e0ae03c0651e
01a22015-1317-70ed-9fc7-78b0f35d43db	{"salt": "bd5ba1da1fd5f15bd95852e90bb6dda5", "actor": "Refdesk", "after": {"state": "queued"}, "before": {"state": "ready"}, "target": "handbook.md", "address": ""}	01a22013-f827-74a3-9e91-e0ae03c0651e
01a22015-132e-7056-8c12-1c33c134f721	{"salt": "0a613d058d269f0b007c39ceb842cbc7", "actor": "Refdesk", "after": {"name": "buttermere source"}, "target": "buttermere source", "address": ""}	01a22013-f827-74a3-9e91-e0ae03c0651e
01a22015-1385-739c-ae0d-e722e1be1383	{"salt": "4dc138cd277dee7eb28d16dbe7be052e", "actor": "Refdesk", "after": {"name": "buttermere bot", "slug": "buttermere-bot", "greeting": "What would you like to know?", "starters": [], "llm_model": "", "agent_type": "rag", "max_tokens": 800, "retriever_k": 5, "temperature": 0.2, "refusal_text": "I could not find this in the documents.", "system_prompt": "", "chat_history_length": 6}, "target": "buttermere bot", "address": ""}	01a22013-f827-74a3-9e91-e0ae03c0651e
01a22015-13e4-71c2-99b7-37ab4a4e1095	{"salt": "c3a10ea681fa79e12b5577cb3afd8a1c", "actor": "Refdesk", "after": {"role": "viewer"}, "target": "buttermere@example.org", "address": ""}	01a22013-f827-74a3-9e91-e0ae03c0651e
01a22015-13f4-765a-a154-9b9688d70d54	{"salt": "8edd1616206929c11e89c5916973352f", "actor": "Refdesk", "after": {"plan": null, "role": "viewer", "prefix": "rk_ZnUVnD", "scopes": ["chat", "search", "conversations", "documents:read", "documents:write", "bots:read", "bots:write", "admin"], "expires": null}, "target": "buttermere key", "address": ""}	01a22013-f827-74a3-9e91-e0ae03c0651e
01a22015-141a-72ec-9535-128ac71afd0f	{"salt": "df6fbb2ab78ff6a3527090981fc227fe", "actor": "Refdesk", "after": {"title": "A plan of its own"}, "target": "A plan of its own", "address": ""}	\N
01a22014-8416-764a-a3b8-7f15e083c1bf	{"salt": "8f670df4aec3603685aeb4b8a2e2deef", "actor": "Refdesk", "after": {"bytes": 54, "source": "Uploads"}, "target": "handbook.md", "address": ""}	01a22013-f827-74a3-9e91-e0ae03c0651e
01a22014-b1b4-70e2-9b79-94a515ad165d	{"salt": "cf8318fa4affb7975620c4d0dc7644f6", "actor": "Refdesk", "after": {"bytes": 11, "source": "Uploads"}, "target": "handbook (2).md", "address": ""}	01a22013-f827-74a3-9e91-e0ae03c0651e
01a22014-b1e7-74ba-b6a2-b37680e3812b	{"salt": "8bb0463b5cfbdb6e2b821e951fb52b76", "actor": "Refdesk", "after": {"bytes": 43, "source": "Uploads"}, "target": "handbook.md", "address": ""}	01a22013-f827-74a3-9e91-e0ae03c0651e
01a22015-127c-704f-b65b-8815d4d9e54c	{"salt": "4a6f379339685f1e2c00fa0f32b59ed5", "actor": "Refdesk", "after": {"bytes": 15, "source": "Uploads"}, "target": "gone.txt", "address": ""}	01a22013-f827-74a3-9e91-e0ae03c0651e
01a22015-12b4-73fd-905e-2524696bb221	{"salt": "75c7700e66248592167b65b695d5918a", "actor": "Refdesk", "before": {"bytes": 15, "sha256": "71f3f464a327fbdd796d6a4ace13aea8804fceb4b3a34ae3e1e36eed751d39c3", "source": "Uploads"}, "target": "gone.txt", "address": ""}	01a22013-f827-74a3-9e91-e0ae03c0651e
\.
COPY public.accounts_auditentry (id, number, at, action, target_kind, target, actor_kind, actor, detail_hash, previous, hash, organisation_id) FROM stdin;
01a22013-f6c0-7301-ac43-825176434a40	1	2026-11-28 02:55:08.992652+00	organisation.create	organisation	01a22013-f675-7610-b54f-ee0643d6e532	system	\N	2e32e25a8fad8b74de51cd11c45b7cb7908403a4fb46427db91d8b771a859f48		b0622fa7b950732312bf41eeca5f61b410d2d514aa4cf6e959b45d5e6237556e	01a22013-f675-7610-b54f-ee0643d6e532
01a22013-f76d-71d5-80ec-42b9998c0c1a	1	2026-11-28 02:55:09.165757+00	user.create	user	01a22013-f739-77ba-be0d-b7f562db1abe	system	\N	5f320081d7e2d4fa2420c42340b10df0e68870856f0c38ef3540f6b95c7e6716		33c6442b14de44ae67ba8b7b8904cdd07f2b782debe58ca7058739103c07f689	\N
01a22013-f786-7698-bd6a-f66db0b2747d	2	2026-11-28 02:55:09.190369+00	membership.create	user	01a22013-f739-77ba-be0d-b7f562db1abe	system	\N	7928249e35998dabc7375cad8aefe74b39c38e8cbab5709b2843363781787f22	b0622fa7b950732312bf41eeca5f61b410d2d514aa4cf6e959b45d5e6237556e	0ef9c035b75806b192ac93853183996668612e57358d47e90c7899b5554aeed0	01a22013-f675-7610-b54f-ee0643d6e532
01a22013-f78e-7018-ae1c-6e4c3ff1672f	3	2026-11-28 02:55:09.198373+00	api_key.create	api_key	01a22013-f78c-74be-95c3-1bb9e8f1432e	system	\N	1bf4349186ad2d2e354ba3b03d1ead2bf6b9e9d0de0a6d43212b9db1f6f982be	0ef9c035b75806b192ac93853183996668612e57358d47e90c7899b5554aeed0	ed31459b5132bf119ff0805e70d232bb19ecaaeff7703f45f36d8cac25bdbcc4	01a22013-f675-7610-b54f-ee0643d6e532
01a22013-f7e7-754d-b635-cd676e21da18	2	2026-11-28 02:55:09.287668+00	user.create	user	01a22013-f7df-7458-b522-6fe81a80e006	system	\N	80250a37d4f79faa8bc5b1ce25df4e14404951ff0834ae66fb3954dff0e8b9ac	33c6442b14de44ae67ba8b7b8904cdd07f2b782debe58ca7058739103c07f689	4365c21fdf7b42ff0eff09a0fb4039e426c122f7c4dc8abb8336a5a275d16c2e	\N
01a22013-f7fd-769a-b845-9135b35fd918	4	2026-11-28 02:55:09.30977+00	membership.create	user	01a22013-f7df-7458-b522-6fe81a80e006	system	\N	fca0d113b69e619f30ea6e66b0e72c50640a53871e8e6f237753ad9a2c62478c	ed31459b5132bf119ff0805e70d232bb19ecaaeff7703f45f36d8cac25bdbcc4	d42cc0fc49df6bf53348ca5755503d0fc95ca180d9cf30c9ce3b69f580d2f994	01a22013-f675-7610-b54f-ee0643d6e532
01a22013-f809-735b-a273-3c07ebeebe67	5	2026-11-28 02:55:09.321395+00	api_key.create	api_key	01a22013-f808-7391-a78e-b749b42a48ed	system	\N	330959f8ecf278ee9e45e65a1693d57055c9b6a92e52899040a23a135aa4f40e	d42cc0fc49df6bf53348ca5755503d0fc95ca180d9cf30c9ce3b69f580d2f994	59ff9e25fbcb43fa6e8cfb0f2a0fd0e81c48994ecda0366583c664e2923a5fc6	01a22013-f675-7610-b54f-ee0643d6e532
01a22013-f832-7736-ba0e-d408ce19d3f1	1	2026-11-28 02:55:09.362011+00	organisation.create	organisation	01a22013-f827-74a3-9e91-e0ae03c0651e	system	\N	e3e068ff57ba7f72cdb488b1446ab4c5109a30e7e83325b11e2488972afe046f		47d2f0dd543b909f4c5d4b60d54c66ac270e34531db1b9cb673354a2769cce2a	01a22013-f827-74a3-9e91-e0ae03c0651e
01a22013-f839-7442-a87d-2a827ffc4945	3	2026-11-28 02:55:09.369933+00	user.create	user	01a22013-f835-70ba-a989-43d91656bb1c	system	\N	bf0048a5b6cf92c1c1ed9734d02a42c23730b62ae258c9f5ad7dd2ae2ba8a8b7	4365c21fdf7b42ff0eff09a0fb4039e426c122f7c4dc8abb8336a5a275d16c2e	fb9756d96cd4874a0ad8789120b146473579ef52d1295d963392f3646d758085	\N
01a22013-f849-7460-b838-9be38aca8790	2	2026-11-28 02:55:09.385297+00	membership.create	user	01a22013-f835-70ba-a989-43d91656bb1c	system	\N	7c6d87c8c79455263a73cc4f2f46b839e28a8de6979e6507ef1b5d38f3b2af56	47d2f0dd543b909f4c5d4b60d54c66ac270e34531db1b9cb673354a2769cce2a	ac3f5584fb79f515158f6263108e3f10ff7dc7ecf5c36d5cfa83cf53a338fa3d	01a22013-f827-74a3-9e91-e0ae03c0651e
01a22013-f855-7642-8332-9013f8ed1e74	3	2026-11-28 02:55:09.397968+00	api_key.create	api_key	01a22013-f84a-7529-b76f-a33526deb7a4	system	\N	2a54c8287b6bc1bff23387918d2ce8a6578b2d22a286f6f8de80a5cd2c47b1bc	ac3f5584fb79f515158f6263108e3f10ff7dc7ecf5c36d5cfa83cf53a338fa3d	4df1237729ecef185a94641439182d91a5a0592c36f633b5daa4510b68300e0a	01a22013-f827-74a3-9e91-e0ae03c0651e
01a22013-fb21-7181-b58e-67bcd0a71e08	6	2026-11-28 02:55:10.113081+00	bot.create	bot	01a22013-fac7-74bc-9b5d-e2498a7b27a5	system	\N	68bd00d792ddc52c6c921717996092e9ca4088838bd92ce71ae23c36c586fbda	59ff9e25fbcb43fa6e8cfb0f2a0fd0e81c48994ecda0366583c664e2923a5fc6	53b22a203954d107a05ee0de85b991839b5afc828337c7b7d6d959df8bb29661	01a22013-f675-7610-b54f-ee0643d6e532
01a22013-fb31-740a-8e99-8ad9fac3a3ed	7	2026-11-28 02:55:10.129636+00	source.create	source	01a22013-fb30-74d1-bbce-b6d3ee7265df	system	\N	1d2ae7ce86b25db609cebc3676580ea626afa89f11cd45d97fa501921f394e96	53b22a203954d107a05ee0de85b991839b5afc828337c7b7d6d959df8bb29661	def86455b467d5a698600c40a5f00f44368dcfb6a903809d7fdd97119d62ed45	01a22013-f675-7610-b54f-ee0643d6e532
01a22013-fb75-7178-9642-9a8b97147a37	8	2026-11-28 02:55:10.197022+00	document.upload	document	01a22013-fb5d-7495-a04d-8c774372e90e	system	\N	f8004b1362952c5b1e96a27179818d52bdfbf1ef4a21016ad2e252ef94183f83	def86455b467d5a698600c40a5f00f44368dcfb6a903809d7fdd97119d62ed45	bf29f9d6af8e2299708540d97dc6b56aa2a506e83066878eb6a58c0775e44125	01a22013-f675-7610-b54f-ee0643d6e532
01a22014-2c23-7504-8fd6-bd21f8cdce04	9	2026-11-28 02:55:22.659422+00	document.upload	document	01a22014-2c0a-7220-a89a-cedac01bd7b2	system	\N	dc162153613b78f26d301ed27fc571f68406b717c39dd2b8abc201b79afb987c	bf29f9d6af8e2299708540d97dc6b56aa2a506e83066878eb6a58c0775e44125	44a9d90fd27b988901a126d0afef8658ee5d2ae1d593acf39c35f6bc10623ed5	01a22013-f675-7610-b54f-ee0643d6e532
01a22014-2c46-7479-aaed-2491ee88ed88	10	2026-11-28 02:55:22.694015+00	document.upload	document	01a22014-2c41-7361-9a9a-09b64033b606	system	\N	f9f81fbea96c93782859c10679b4057b83a9a8a04f3f83d2bd083091313ef551	44a9d90fd27b988901a126d0afef8658ee5d2ae1d593acf39c35f6bc10623ed5	0dbb1279b070b4cbadcb070a2d9c24a516f93a8e5c216dbe640c7d59f8da9483	01a22013-f675-7610-b54f-ee0643d6e532
01a22014-2c69-7348-9e51-42167bda6ab2	11	2026-11-28 02:55:22.729422+00	document.upload	document	01a22014-2c60-71be-9745-395548471747	system	\N	87c5712b39e809e93d5d54778ba62504828dc9d7f1827c9c93c073cf9d2bb2ec	0dbb1279b070b4cbadcb070a2d9c24a516f93a8e5c216dbe640c7d59f8da9483	04c921f61e0539af224f68584aa523f3205a667e612cfc182ec044ec6a53eaf3	01a22013-f675-7610-b54f-ee0643d6e532
01a22014-2c90-767a-8168-b2021d06ad42	12	2026-11-28 02:55:22.768855+00	document.upload	document	01a22014-2c8c-725d-8bfb-5c279ce13985	system	\N	375aba4541694472906fe683c41d9526bd4a7ba5523af6026ff5d61b3844721a	04c921f61e0539af224f68584aa523f3205a667e612cfc182ec044ec6a53eaf3	65ee38c6888c8290cfd4e8fff8872425af0f8b00875f336da42374fa051e085f	01a22013-f675-7610-b54f-ee0643d6e532
01a22014-2cb7-732d-a820-cd41d91ab8b3	13	2026-11-28 02:55:22.807879+00	document.upload	document	01a22014-2cad-75dd-b216-dd6ec0d61603	system	\N	05dc7e62daf292604f122f2d59b80b1e7e7056c3fab22fdb6c0c01e46f03c0d1	65ee38c6888c8290cfd4e8fff8872425af0f8b00875f336da42374fa051e085f	1a9cce8f9ae785ed3546d2c064d396185c3a893270c2876f19a7e94214209ae9	01a22013-f675-7610-b54f-ee0643d6e532
01a22014-59a1-76df-a077-fef17c25a639	14	2026-11-28 02:55:34.305189+00	document.retry	document	01a22013-fb5d-7495-a04d-8c774372e90e	system	\N	d5e1d984f70f2a8b4bf67fa1057bea26610ed62ebdfa8b6473ba0f5e2d56b7fb	1a9cce8f9ae785ed3546d2c064d396185c3a893270c2876f19a7e94214209ae9	662f005039624d0a180ea619e321a93b79540e4af679974e5138759b0eec9597	01a22013-f675-7610-b54f-ee0643d6e532
01a22014-826c-714a-9601-2aee83861753	15	2026-11-28 02:55:44.748041+00	document.upload	document	01a22014-825f-72f5-ba28-a3f96ca1edfa	system	\N	82b9250d1aaa6bd6de6ad9b69a4dbc94a9a24e5d186840a8433f246d1e881641	662f005039624d0a180ea619e321a93b79540e4af679974e5138759b0eec9597	2c05fb02cdfd5d0744d19662c224df39a1cfe54280fba1eb4b7e169d2341387f	01a22013-f675-7610-b54f-ee0643d6e532
01a22014-829d-73c4-8834-57876dc47247	16	2026-11-28 02:55:44.79786+00	document.delete	document	01a22014-825f-72f5-ba28-a3f96ca1edfa	system	\N	74e31886e206287d4543c715a81d74b38d28e9d1671a8fd5b3cca13db656b9de	2c05fb02cdfd5d0744d19662c224df39a1cfe54280fba1eb4b7e169d2341387f	8e4677f6e607147ec80a51a16d1c3efbdeb60242454b573348bb0825c4bc9b4f	01a22013-f675-7610-b54f-ee0643d6e532
01a22014-82be-7088-81b0-cd3745edd867	17	2026-11-28 02:55:44.830642+00	document.upload	document	01a22014-82bb-7645-aef4-534fb56ca645	system	\N	598cc6f351d84b20306ea52d56928e799e5692dea1b65dac0cd7c7e5b3ffd60e	8e4677f6e607147ec80a51a16d1c3efbdeb60242454b573348bb0825c4bc9b4f	76343ca93d6799bdf0320f8bc5a8442cf85d43be2e9caf04198ced109e164870	01a22013-f675-7610-b54f-ee0643d6e532
01a22014-82d5-7793-b1bf-382c27b88f02	18	2026-11-28 02:55:44.853897+00	document.retry	document	01a22014-2c8c-725d-8bfb-5c279ce13985	system	\N	4e47545e30a9b8865b5e05a20ce937695c4bd2b45dd0bc6070c918136ca8877e	76343ca93d6799bdf0320f8bc5a8442cf85d43be2e9caf04198ced109e164870	6e01602946978aad283ab64468cd83dd57e6009be1d6baf7f00f7471f3bf6d51	01a22013-f675-7610-b54f-ee0643d6e532
01a22014-82e4-77c3-9655-def98e7ecbd6	19	2026-11-28 02:55:44.868982+00	source.create	source	01a22014-82e3-70f7-a465-135244fdb42f	system	\N	3b6f86a386fe4690b984849976f4e32998f2f4783cc510c0a22ff38e6a999adc	6e01602946978aad283ab64468cd83dd57e6009be1d6baf7f00f7471f3bf6d51	be5152270c1f4a43dd9da52cf4e0363ce620acb38618944372266c7b2a95e557	01a22013-f675-7610-b54f-ee0643d6e532
01a22014-8308-74d6-92b8-ac69d853fe5c	20	2026-11-28 02:55:44.904619+00	bot.create	bot	01a22014-82fe-7693-8d34-60b4d7cfb1ba	system	\N	453b481f4b25f536c9baed9aed740d9088a5ab9c6a925dc30918eef318188d61	be5152270c1f4a43dd9da52cf4e0363ce620acb38618944372266c7b2a95e557	416b5883d94b61bfb18cd9e2a0275afa32be053064e664c83aaaf939ce4d6479	01a22013-f675-7610-b54f-ee0643d6e532
01a22014-8321-748d-b1e4-191e738afe86	21	2026-11-28 02:55:44.9291+00	invitation.create	invitation	01a22014-831a-745f-9932-1ea2e60f0fea	system	\N	9cf76cd7abf7ee86ed782d971520fdbf8a07297f8b7faaeebe5d5189573e774a	416b5883d94b61bfb18cd9e2a0275afa32be053064e664c83aaaf939ce4d6479	9deb0ff783d6b5198697541e35b763ddb65adcc17e6535747974f3ef0a060f8a	01a22013-f675-7610-b54f-ee0643d6e532
01a22014-832e-744d-ba80-57816e662fc8	22	2026-11-28 02:55:44.942949+00	api_key.create	api_key	01a22014-832d-7490-a72c-2fcf420f3d13	system	\N	d07990174bc44c1066d79c0e0e1c4e269b0f2a5918a129db9ea545a4f9b144fc	9deb0ff783d6b5198697541e35b763ddb65adcc17e6535747974f3ef0a060f8a	510218152ec4a6e77e86dddecac7e0d2be7b0d43a7e39a24dbc4968d7110be1e	01a22013-f675-7610-b54f-ee0643d6e532
01a22014-834c-7658-b81c-43853e22fcc7	4	2026-11-28 02:55:44.972968+00	plan.create	plan	plan-01a22014-8346-7275-b4fe-4aa3f89a90c3	system	\N	4167f88ec151ed920180bb7a077bb210802a4474adc82fecd7f8c20f3bfe6990	fb9756d96cd4874a0ad8789120b146473579ef52d1295d963392f3646d758085	6aaf45638005c75d7840653032a53781f854f7c26d39402609d9eb2b1c512f8b	\N
01a22014-83a9-73a5-8b00-46447903dbd7	4	2026-11-28 02:55:45.065442+00	bot.create	bot	01a22014-839b-7211-81de-cdeb6f351c70	system	\N	031bcf58974ef3703a854664f3b67ea5a39a9f953e0c668e12de8774a1f7744c	4df1237729ecef185a94641439182d91a5a0592c36f633b5daa4510b68300e0a	0b99fce7c88aec10c77197cf4dd325ae6a919ac98f44947732d4a4f65dd3cafa	01a22013-f827-74a3-9e91-e0ae03c0651e
01a22014-83d4-70e2-ad16-c73793d1bd82	5	2026-11-28 02:55:45.108265+00	source.create	source	01a22014-83c6-7036-b11d-13ad572381b0	system	\N	ef80db845499d8686aecfef79f965323c2686b72c0c345013fb399b56970a8ad	0b99fce7c88aec10c77197cf4dd325ae6a919ac98f44947732d4a4f65dd3cafa	0fe85ccafeb9450099a529c4d1bab3c90e938005128f9428f75636c772756dbd	01a22013-f827-74a3-9e91-e0ae03c0651e
01a22014-b1a0-7495-a1d6-2f462d81aee4	7	2026-11-28 02:55:56.832808+00	document.upload	document	01a22014-b194-728c-8811-f4d9fd53e03b	system	\N	12366d0907092576819116f70885a79f188acaa02be20e434934dd439ff54943	dcdbcd2cd441e31290a02d7e5daa547be852fb8514fe9d9d00f2387d0379abd4	a1956bf5651167021fb87b54e3bf6e1aa6dd0e4b9166e0bee32fe8a4ac0e6286	01a22013-f827-74a3-9e91-e0ae03c0651e
01a22014-b1cd-7244-b375-7bac2f6255f6	9	2026-11-28 02:55:56.877961+00	document.upload	document	01a22014-b1c4-7003-a732-39762cb72d2c	system	\N	1606a7801771c496c667f2a9e56910269aade92bb357de27732852ebe621750b	3f81fe317f30f55ed5ce552b675e2008fe52fb479cf4881ff3cd456b0ae29af3	4cb320799c3452a6beeb28b0dbd5c5b9eb74d9dc532eccb19e21a978c4813a49	01a22013-f827-74a3-9e91-e0ae03c0651e
01a22014-b230-7539-9047-ce0f6769a252	11	2026-11-28 02:55:56.976279+00	document.upload	document	01a22014-b202-713f-a088-a596948e2149	system	\N	db915f6cb8f7ad16ed7ca5502b6b2cacbe4f9180d82a0fca6a7d63c0847173a0	1f83de313706a5646f934a8781a3414042f7080909eb5de1b4d0339cdba41400	522df53f5aa0e2cf7dd5759041c18b3f637786bd3d07b5f5457ad772d4f8bb10	01a22013-f827-74a3-9e91-e0ae03c0651e
01a22014-e1d4-74c8-ba80-3c9ed78cac80	12	2026-11-28 02:56:09.172287+00	document.retry	document	01a22014-8408-72b9-8e94-8a98977b0373	system	\N	789cb1f2a5d311887414e596ca15cc0b5f55cd39ee94e9baa70a60d5705e571e	522df53f5aa0e2cf7dd5759041c18b3f637786bd3d07b5f5457ad772d4f8bb10	8631a755a824ce406a235fa55ab8ab56a5883220b1823eb2dbb6b8205c107f44	01a22013-f827-74a3-9e91-e0ae03c0651e
01a22015-12fa-775d-bfee-2d5a5f259119	15	2026-11-28 02:56:21.754116+00	document.upload	document	01a22015-12e8-745b-8a96-0f26e8416399	system	\N	8f5ab911b8f5587dd5c6f49ece23dfd30cf4609c8fda90921638584cfb5e73be	f3003f117e2f6174ab1c68b07ad2a121a3a72354bc0f610590000b2db69ff5ab	bb171614bb8c4dba9efbbe04dbc88a74b1237954b5465e89102ff9997916e0f7	01a22013-f827-74a3-9e91-e0ae03c0651e
01a22015-1317-70ed-9fc7-78b0f35d43db	16	2026-11-28 02:56:21.783354+00	document.retry	document	01a22014-b1e1-73c2-8e02-e42eb136fbb6	system	\N	e95ed71b5ad4f250f6655beb5befa0dffa4876dce4f49caa3c42a1260e5b5b00	bb171614bb8c4dba9efbbe04dbc88a74b1237954b5465e89102ff9997916e0f7	5ca08815375b8ec89b9b8aa5e3e4749e6b6066835c8418aff9f2553337dba321	01a22013-f827-74a3-9e91-e0ae03c0651e
01a22015-132e-7056-8c12-1c33c134f721	17	2026-11-28 02:56:21.80653+00	source.create	source	01a22015-1328-7036-962a-ce69c521efc3	system	\N	01c7b258fb4b2e2a8ecbb2f99b002ef2728fa3d7164216571402cf1b0681ccb5	5ca08815375b8ec89b9b8aa5e3e4749e6b6066835c8418aff9f2553337dba321	a8020c2e805657a62772282b340ac486fba133303657254733c5465e0ef31baa	01a22013-f827-74a3-9e91-e0ae03c0651e
01a22015-1385-739c-ae0d-e722e1be1383	18	2026-11-28 02:56:21.893092+00	bot.create	bot	01a22015-136e-73ef-8a67-914d1217c688	system	\N	fd61d412535cf383f1c789ec2d7dc4eac26a0f038403be2b943f13d2cf765de4	a8020c2e805657a62772282b340ac486fba133303657254733c5465e0ef31baa	55e412ae30c99e60c8ea2de93a88045d030bf8e31f84801fccefb397912603e4	01a22013-f827-74a3-9e91-e0ae03c0651e
01a22015-13e4-71c2-99b7-37ab4a4e1095	19	2026-11-28 02:56:21.988487+00	invitation.create	invitation	01a22015-13dc-77d3-9d02-4e5f7ec2a993	system	\N	ee9e56f4a325c257163ac3c3528f903e679ef8b51afa917cfddbd5148165585f	55e412ae30c99e60c8ea2de93a88045d030bf8e31f84801fccefb397912603e4	9d7a467b37dba81fece5f6045684ae08a46b69b21278b5aba694596aeaa3e713	01a22013-f827-74a3-9e91-e0ae03c0651e
01a22015-13f4-765a-a154-9b9688d70d54	20	2026-11-28 02:56:22.004454+00	api_key.create	api_key	01a22015-13ed-7463-bbae-6cbd8b54b0b5	system	\N	e53d9d570e4f2739f049986e980f130789a33a51cc06de1f8944bbe1c02f8422	9d7a467b37dba81fece5f6045684ae08a46b69b21278b5aba694596aeaa3e713	510693fdf9e3dc2abadab9e46bbbe5b20f3a73c4ea1490122cfe954bba9c2142	01a22013-f827-74a3-9e91-e0ae03c0651e
01a22015-141a-72ec-9535-128ac71afd0f	5	2026-11-28 02:56:22.042401+00	plan.create	plan	plan-01a22015-1412-7410-930b-b72af06c85c5	system	\N	95a02d4ef3ef83ce3f1f4efdbb7922030b0c2f09e7e0b3055db86a894dadc41e	6aaf45638005c75d7840653032a53781f854f7c26d39402609d9eb2b1c512f8b	0ab3e081dff83645968ef79d67aa50e7128dbb29e814550fb8c504771fbcad5e	\N
01a22014-8416-764a-a3b8-7f15e083c1bf	6	2026-11-28 02:55:45.174903+00	document.upload	document	01a22014-8408-72b9-8e94-8a98977b0373	system	\N	319a643bcb485d9391c776200954964c27c39cf81e82b15dddfdeda7723877dc	0fe85ccafeb9450099a529c4d1bab3c90e938005128f9428f75636c772756dbd	dcdbcd2cd441e31290a02d7e5daa547be852fb8514fe9d9d00f2387d0379abd4	01a22013-f827-74a3-9e91-e0ae03c0651e
01a22014-b1b4-70e2-9b79-94a515ad165d	8	2026-11-28 02:55:56.852242+00	document.upload	document	01a22014-b1a8-7614-a7a8-5cc02f95e0c9	system	\N	4391e3600eea0f945070f3878920acae5d83d5a8811d4694a56c8911991057a7	a1956bf5651167021fb87b54e3bf6e1aa6dd0e4b9166e0bee32fe8a4ac0e6286	3f81fe317f30f55ed5ce552b675e2008fe52fb479cf4881ff3cd456b0ae29af3	01a22013-f827-74a3-9e91-e0ae03c0651e
01a22014-b1e7-74ba-b6a2-b37680e3812b	10	2026-11-28 02:55:56.90398+00	document.upload	document	01a22014-b1e1-73c2-8e02-e42eb136fbb6	system	\N	da4457bf53bc7c38926265b0c4930c062421db21e0b972adce90c94795344dc7	4cb320799c3452a6beeb28b0dbd5c5b9eb74d9dc532eccb19e21a978c4813a49	1f83de313706a5646f934a8781a3414042f7080909eb5de1b4d0339cdba41400	01a22013-f827-74a3-9e91-e0ae03c0651e
01a22015-127c-704f-b65b-8815d4d9e54c	13	2026-11-28 02:56:21.628919+00	document.upload	document	01a22015-126b-76d0-b709-6e58c5b24d21	system	\N	652cb51086a29303ed08645776a3546b1369582b9efa0d622e17db4e37ac3e32	8631a755a824ce406a235fa55ab8ab56a5883220b1823eb2dbb6b8205c107f44	d90380f66ef9bd8b842ca6fe19995d4eec30da212a35a6f5556ef4998308b8f8	01a22013-f827-74a3-9e91-e0ae03c0651e
01a22015-12b4-73fd-905e-2524696bb221	14	2026-11-28 02:56:21.684271+00	document.delete	document	01a22015-126b-76d0-b709-6e58c5b24d21	system	\N	a4b90240806e5618fd5e30f15cd787d3f44562f7a0a969234b22a9d65a99eaac	d90380f66ef9bd8b842ca6fe19995d4eec30da212a35a6f5556ef4998308b8f8	f3003f117e2f6174ab1c68b07ad2a121a3a72354bc0f610590000b2db69ff5ab	01a22013-f827-74a3-9e91-e0ae03c0651e
\.
COPY public.accounts_audithead (id, number, hash, seal, organisation_id) FROM stdin;
01a22013-f82f-76db-8f2f-cd61b9c3bba8	20	510693fdf9e3dc2abadab9e46bbbe5b20f3a73c4ea1490122cfe954bba9c2142	e6052a9c6a5baa74fdb58dfe3007cc8ad196e597952d261484b350677038c90c	01a22013-f827-74a3-9e91-e0ae03c0651e
01a22013-f76b-71fb-aa0f-f6c938e084f8	5	0ab3e081dff83645968ef79d67aa50e7128dbb29e814550fb8c504771fbcad5e	7b59acf130b62c90e26e3eb6a14da90cdfb31c93eb32213d0cb591615a38ae5d	\N
01a22013-f6bb-77be-853a-847ab6f25094	22	510218152ec4a6e77e86dddecac7e0d2be7b0d43a7e39a24dbc4968d7110be1e	472dc1630c2a57820ac552266b6b622d0b5959a1d7c979f266a3f48e79700ea7	01a22013-f675-7610-b54f-ee0643d6e532
\.
COPY public.accounts_claimrule (id, claim, value, role, created, organisation_id) FROM stdin;
01a22014-8337-774c-852a-a3558f39e62b	groups	vale group	viewer	2026-11-28 02:55:44.951677+00	01a22013-f675-7610-b54f-ee0643d6e532
01a22015-1402-719c-88a7-b223d8700a1b	groups	buttermere group	viewer	2026-11-28 02:56:22.018755+00	01a22013-f827-74a3-9e91-e0ae03c0651e
\.
COPY public.accounts_identity (id, issuer, subject, last_used, created, user_id) FROM stdin;
01a22014-8340-76f7-88f2-dda70871180f	https://login.example.org	vale subject	\N	2026-11-28 02:55:44.960832+00	01a22013-f739-77ba-be0d-b7f562db1abe
01a22015-1410-756c-9caa-11c60ba02fd9	https://login.example.org	buttermere subject	\N	2026-11-28 02:56:22.032462+00	01a22013-f835-70ba-a989-43d91656bb1c
\.
COPY public.accounts_invitation (id, email, role, token_hash, expires, accepted, created, invited_by_id, organisation_id) FROM stdin;
01a22014-831a-745f-9932-1ea2e60f0fea	vale@example.org	viewer	79325a63a263a286173cd9552693a6224f7b64620d1f7faedd6e018da198807f	2026-12-05 02:55:44.922172+00	\N	2026-11-28 02:55:44.922334+00	01a22013-f739-77ba-be0d-b7f562db1abe	01a22013-f675-7610-b54f-ee0643d6e532
01a22015-13dc-77d3-9d02-4e5f7ec2a993	buttermere@example.org	viewer	49648cc2c7db804dd7eccf312fef272658a7c41ef109af5e08e65abc24103915	2026-12-05 02:56:21.980563+00	\N	2026-11-28 02:56:21.980734+00	01a22013-f835-70ba-a989-43d91656bb1c	01a22013-f827-74a3-9e91-e0ae03c0651e
\.
COPY public.accounts_membership (id, role, created, user_id, organisation_id, by_rule) FROM stdin;
01a22013-f784-77e0-9286-2394d794e8e2	owner	2026-11-28 02:55:09.188431+00	01a22013-f739-77ba-be0d-b7f562db1abe	01a22013-f675-7610-b54f-ee0643d6e532	f
01a22013-f7f9-7001-9155-c596c039a613	viewer	2026-11-28 02:55:09.305786+00	01a22013-f7df-7458-b522-6fe81a80e006	01a22013-f675-7610-b54f-ee0643d6e532	f
01a22013-f846-7244-a823-8ca998805322	owner	2026-11-28 02:55:09.382108+00	01a22013-f835-70ba-a989-43d91656bb1c	01a22013-f827-74a3-9e91-e0ae03c0651e	f
\.
COPY public.accounts_onetimetoken (id, purpose, token_hash, expires, used, created, user_id) FROM stdin;
01a22014-8382-763c-aed5-d52b3ff47c35	first_admin	vale000000000000000000000000000000000000000000000000000000000000	2026-11-28 03:55:45.026469+00	\N	2026-11-28 02:55:45.026638+00	01a22013-f739-77ba-be0d-b7f562db1abe
01a22015-1486-7317-aaca-a3e25edbe6f9	first_admin	buttermere000000000000000000000000000000000000000000000000000000	2026-11-28 03:56:22.150115+00	\N	2026-11-28 02:56:22.150308+00	01a22013-f835-70ba-a989-43d91656bb1c
\.
COPY public.accounts_organisation (id, slug, name, chunk_tokens, chunk_overlap, created, plan_id, suspended, retention_days, accent, scheme, welcome) FROM stdin;
01a22013-f675-7610-b54f-ee0643d6e532	acme	Acme	500	50	2026-11-28 02:55:08.937658+00	plan-01a22014-8346-7275-b4fe-4aa3f89a90c3	\N	\N		auto	
01a22013-f827-74a3-9e91-e0ae03c0651e	other	Other	500	50	2026-11-28 02:55:09.353401+00	plan-01a22015-1412-7410-930b-b72af06c85c5	\N	\N		auto	
\.
COPY public.accounts_plan (name, title, requests_per_minute, tokens_per_minute, person_requests_per_minute, requests_per_month, tokens_per_month, soft_percent) FROM stdin;
unlimited	Unlimited	\N	\N	\N	\N	\N	80
standard	Standard	1000	\N	\N	\N	\N	80
free	Free	100	\N	\N	\N	\N	80
plan-01a22014-8346-7275-b4fe-4aa3f89a90c3	A plan of its own	\N	\N	\N	\N	\N	80
plan-01a22015-1412-7410-930b-b72af06c85c5	A plan of its own	\N	\N	\N	\N	\N	80
\.
COPY public.accounts_signin (id, session_key, issuer, provider_session, address, agent, created, user_id) FROM stdin;
01a22014-837e-742f-8793-e257cf7fd5e2	session of Vale			192.0.2.7	A browser	2026-11-28 02:55:45.022634+00	01a22013-f739-77ba-be0d-b7f562db1abe
01a22015-1480-712f-accd-4661549d912d	session of Buttermere			192.0.2.7	A browser	2026-11-28 02:56:22.144656+00	01a22013-f835-70ba-a989-43d91656bb1c
\.
COPY public.accounts_user (password, last_login, id, email, name, is_active, is_operator, created) FROM stdin;
md5$g2tc12FVguiiRaaEIwQyfV$3793c9e8cdedfaccf6f7904c66814bf9	2026-11-28 02:55:09.267431+00	01a22013-f739-77ba-be0d-b7f562db1abe	alice@example.org	Alice	t	f	2026-11-28 02:55:09.144884+00
md5$Gvkd18jDgDDr6bgtf2gqmr$e58e69f840d89b45519dbf561b505b49	2026-11-28 02:55:09.343403+00	01a22013-f7df-7458-b522-6fe81a80e006	bob@example.org	Bob	t	f	2026-11-28 02:55:09.279729+00
md5$XJCDHdSHSXSEnYRItK8QM2$d4623db75c21344cfbe36b37b5b7dc88	2026-11-28 02:55:09.443843+00	01a22013-f835-70ba-a989-43d91656bb1c	charlie@example.org	Charlie	t	f	2026-11-28 02:55:09.365266+00
\.
COPY public.auth_group (id, name) FROM stdin;
\.
COPY public.auth_group_permissions (id, group_id, permission_id) FROM stdin;
\.
COPY public.auth_permission (id, name, content_type_id, codename) FROM stdin;
1	Can add log entry	1	add_logentry
2	Can change log entry	1	change_logentry
3	Can delete log entry	1	delete_logentry
4	Can view log entry	1	view_logentry
5	Can add permission	2	add_permission
6	Can change permission	2	change_permission
7	Can delete permission	2	delete_permission
8	Can view permission	2	view_permission
9	Can add group	3	add_group
10	Can change group	3	change_group
11	Can delete group	3	delete_group
12	Can view group	3	view_group
13	Can add content type	4	add_contenttype
14	Can change content type	4	change_contenttype
15	Can delete content type	4	delete_contenttype
16	Can view content type	4	view_contenttype
17	Can add session	5	add_session
18	Can change session	5	change_session
19	Can delete session	5	delete_session
20	Can view session	5	view_session
21	Can add organisation	6	add_organisation
22	Can change organisation	6	change_organisation
23	Can delete organisation	6	delete_organisation
24	Can view organisation	6	view_organisation
25	Can add account	7	add_user
26	Can change account	7	change_user
27	Can delete account	7	delete_user
28	Can view account	7	view_user
29	Can add invitation	8	add_invitation
30	Can change invitation	8	change_invitation
31	Can delete invitation	8	delete_invitation
32	Can view invitation	8	view_invitation
33	Can add API key	9	add_apikey
34	Can change API key	9	change_apikey
35	Can delete API key	9	delete_apikey
36	Can view API key	9	view_apikey
37	Can add member	10	add_membership
38	Can change member	10	change_membership
39	Can delete member	10	delete_membership
40	Can view member	10	view_membership
41	Can add plan	11	add_plan
42	Can change plan	11	change_plan
43	Can delete plan	11	delete_plan
44	Can view plan	11	view_plan
45	Can add sign-in rule	12	add_claimrule
46	Can change sign-in rule	12	change_claimrule
47	Can delete sign-in rule	12	delete_claimrule
48	Can view sign-in rule	12	view_claimrule
49	Can add identity	13	add_identity
50	Can change identity	13	change_identity
51	Can delete identity	13	delete_identity
52	Can view identity	13	view_identity
53	Can add one time token	14	add_onetimetoken
54	Can change one time token	14	change_onetimetoken
55	Can delete one time token	14	delete_onetimetoken
56	Can view one time token	14	view_onetimetoken
57	Can add sign in	15	add_signin
58	Can change sign in	15	change_signin
59	Can delete sign in	15	delete_signin
60	Can view sign in	15	view_signin
61	Can add audit entry	16	add_auditentry
62	Can change audit entry	16	change_auditentry
63	Can delete audit entry	16	delete_auditentry
64	Can view audit entry	16	view_auditentry
65	Can add audit detail	17	add_auditdetail
66	Can change audit detail	17	change_auditdetail
67	Can delete audit detail	17	delete_auditdetail
68	Can view audit detail	17	view_auditdetail
69	Can add audit head	18	add_audithead
70	Can change audit head	18	change_audithead
71	Can delete audit head	18	delete_audithead
72	Can view audit head	18	view_audithead
73	Can add usage entry	19	add_usageentry
74	Can change usage entry	19	change_usageentry
75	Can delete usage entry	19	delete_usageentry
76	Can view usage entry	19	view_usageentry
77	Can add usage total	20	add_usagetotal
78	Can change usage total	20	change_usagetotal
79	Can delete usage total	20	delete_usagetotal
80	Can view usage total	20	view_usagetotal
81	Can add source	21	add_source
82	Can change source	21	change_source
83	Can delete source	21	delete_source
84	Can view source	21	view_source
85	Can add document	22	add_document
86	Can change document	22	change_document
87	Can delete document	22	delete_document
88	Can view document	22	view_document
89	Can add document version	23	add_documentversion
90	Can change document version	23	change_documentversion
91	Can delete document version	23	delete_documentversion
92	Can view document version	23	view_documentversion
93	Can add version text	24	add_versiontext
94	Can change version text	24	change_versiontext
95	Can delete version text	24	delete_versiontext
96	Can view version text	24	view_versiontext
97	Can add chunk	25	add_chunk
98	Can change chunk	25	change_chunk
99	Can delete chunk	25	delete_chunk
100	Can view chunk	25	view_chunk
101	Can add embedding cache	26	add_embeddingcache
102	Can change embedding cache	26	change_embeddingcache
103	Can delete embedding cache	26	delete_embeddingcache
104	Can view embedding cache	26	view_embeddingcache
105	Can add job	27	add_job
106	Can change job	27	change_job
107	Can delete job	27	delete_job
108	Can view job	27	view_job
109	Can add bot	28	add_bot
110	Can change bot	28	change_bot
111	Can delete bot	28	delete_bot
112	Can view bot	28	view_bot
113	Can add bot revision	29	add_botrevision
114	Can change bot revision	29	change_botrevision
115	Can delete bot revision	29	delete_botrevision
116	Can view bot revision	29	view_botrevision
117	Can add bot source	30	add_botsource
118	Can change bot source	30	change_botsource
119	Can delete bot source	30	delete_botsource
120	Can view bot source	30	view_botsource
121	Can add conversation	31	add_conversation
122	Can change conversation	31	change_conversation
123	Can delete conversation	31	delete_conversation
124	Can view conversation	31	view_conversation
125	Can add message	32	add_message
126	Can change message	32	change_message
127	Can delete message	32	delete_message
128	Can view message	32	view_message
129	Can add citation	33	add_citation
130	Can change citation	33	change_citation
131	Can delete citation	33	delete_citation
132	Can view citation	33	view_citation
133	Can add erasure	34	add_erasure
134	Can change erasure	34	change_erasure
135	Can delete erasure	34	delete_erasure
136	Can view erasure	34	view_erasure
137	Can add export	35	add_export
138	Can change export	35	change_export
139	Can delete export	35	delete_export
140	Can view export	35	view_export
141	Can add retention run	36	add_retentionrun
142	Can change retention run	36	change_retentionrun
143	Can delete retention run	36	delete_retentionrun
144	Can view retention run	36	view_retentionrun
\.
COPY public.bots_bot (id, slug, name, created, updated, organisation_id, live_revision_id, paused) FROM stdin;
01a22013-fac7-74bc-9b5d-e2498a7b27a5	default	Desk	2026-11-28 02:55:10.095068+00	2026-11-28 02:55:10.108358+00	01a22013-f675-7610-b54f-ee0643d6e532	01a22013-fb19-723b-b65a-cc70bf592874	\N
01a22014-82fe-7693-8d34-60b4d7cfb1ba	vale-bot	vale bot	2026-11-28 02:55:44.896961+00	2026-11-28 02:55:44.901861+00	01a22013-f675-7610-b54f-ee0643d6e532	01a22014-8305-769b-b057-2c72521e3591	\N
01a22014-839b-7211-81de-cdeb6f351c70	default	Desk	2026-11-28 02:55:45.053207+00	2026-11-28 02:55:45.059487+00	01a22013-f827-74a3-9e91-e0ae03c0651e	01a22014-83a2-7079-89d5-a78a39b8733e	\N
01a22015-136e-73ef-8a67-914d1217c688	buttermere-bot	buttermere bot	2026-11-28 02:56:21.876509+00	2026-11-28 02:56:21.88611+00	01a22013-f827-74a3-9e91-e0ae03c0651e	01a22015-137b-702f-b282-57b79d8b7138	\N
\.
COPY public.bots_botrevision (id, number, settings, created, bot_id, created_by_id, organisation_id) FROM stdin;
01a22013-fb19-723b-b65a-cc70bf592874	1	{"greeting": "What would you like to know?", "starters": [], "llm_model": "", "agent_type": "rag", "max_tokens": 800, "retriever_k": 5, "temperature": 0.2, "refusal_text": "I could not find this in the documents.", "system_prompt": "", "chat_history_length": 6}	2026-11-28 02:55:10.106136+00	01a22013-fac7-74bc-9b5d-e2498a7b27a5	01a22013-f739-77ba-be0d-b7f562db1abe	01a22013-f675-7610-b54f-ee0643d6e532
01a22014-8305-769b-b057-2c72521e3591	1	{"greeting": "What would you like to know?", "starters": [], "llm_model": "", "agent_type": "rag", "max_tokens": 800, "retriever_k": 5, "temperature": 0.2, "refusal_text": "I could not find this in the documents.", "system_prompt": "", "chat_history_length": 6}	2026-11-28 02:55:44.901476+00	01a22014-82fe-7693-8d34-60b4d7cfb1ba	01a22013-f739-77ba-be0d-b7f562db1abe	01a22013-f675-7610-b54f-ee0643d6e532
01a22014-83a2-7079-89d5-a78a39b8733e	1	{"greeting": "What would you like to know?", "starters": [], "llm_model": "", "agent_type": "rag", "max_tokens": 800, "retriever_k": 5, "temperature": 0.2, "refusal_text": "I could not find this in the documents.", "system_prompt": "", "chat_history_length": 6}	2026-11-28 02:55:45.059056+00	01a22014-839b-7211-81de-cdeb6f351c70	01a22013-f835-70ba-a989-43d91656bb1c	01a22013-f827-74a3-9e91-e0ae03c0651e
01a22015-137b-702f-b282-57b79d8b7138	1	{"greeting": "What would you like to know?", "starters": [], "llm_model": "", "agent_type": "rag", "max_tokens": 800, "retriever_k": 5, "temperature": 0.2, "refusal_text": "I could not find this in the documents.", "system_prompt": "", "chat_history_length": 6}	2026-11-28 02:56:21.883783+00	01a22015-136e-73ef-8a67-914d1217c688	01a22013-f835-70ba-a989-43d91656bb1c	01a22013-f827-74a3-9e91-e0ae03c0651e
\.
COPY public.bots_botsource (id, bot_id, organisation_id, source_id) FROM stdin;
1	01a22013-fac7-74bc-9b5d-e2498a7b27a5	01a22013-f675-7610-b54f-ee0643d6e532	01a22013-fb30-74d1-bbce-b6d3ee7265df
2	01a22014-839b-7211-81de-cdeb6f351c70	01a22013-f827-74a3-9e91-e0ae03c0651e	01a22014-83c6-7036-b11d-13ad572381b0
\.
COPY public.chat_citation (id, n, start, "end", support, chunk_id, document_name, version, text, place, as_of, document_id, organisation_id, message_id) FROM stdin;
01a22014-592b-70b6-bf5d-f757240cecfc	1	0	42	\N	17c14088-12f2-58d0-8df3-5cfa2855cc9c	handbook.md	1	Holiday\n\nAt Vale you have 28 days of holiday.	{"kind": "heading", "heading": ["Holiday"]}	2026-11-28 02:55:10.184294+00	01a22013-fb5d-7495-a04d-8c774372e90e	01a22013-f675-7610-b54f-ee0643d6e532	01a22014-590d-74a6-89ef-a3525477f825
01a22014-592b-70b6-bf5d-f75830870f7e	2	44	75	\N	dfde11bd-6e0e-5f45-b566-fde64ceba64c	handbook.md	1	Holiday\n\nAt Vale you have 31 days.	{"kind": "heading", "heading": ["Holiday"]}	2026-11-28 02:55:22.76569+00	01a22014-2c8c-725d-8bfb-5c279ce13985	01a22013-f675-7610-b54f-ee0643d6e532	01a22014-590d-74a6-89ef-a3525477f825
01a22014-592b-70b6-bf5d-f7593fe56220	3	77	119	\N	0f897af3-9615-5157-833c-a8ef2ea8b573	handbook.md	1	Holiday\n\nAt Vale you have 30 days of holiday.	{"kind": "heading", "heading": ["Holiday"]}	2026-11-28 02:55:22.641845+00	01a22014-2c0a-7220-a89a-cedac01bd7b2	01a22013-f675-7610-b54f-ee0643d6e532	01a22014-590d-74a6-89ef-a3525477f825
01a22014-8315-7117-9c69-1bb8585a6c01	1	0	4	\N	01a22014-82f8-7780-a6a6-a1214e5eceda	vale.txt	1	vale passage	{"kind": "text", "page": null, "rows": null, "boxes": [], "heading": []}	2026-11-28 02:55:44.917321+00	01a22014-82eb-74d0-951f-c2695b02dc3c	01a22013-f675-7610-b54f-ee0643d6e532	01a22014-8313-7581-a3d1-ba383bcc37f1
01a22014-e12d-76ae-9433-a17fea27729c	1	0	48	\N	b136d480-eff2-5dbd-a42e-5a512b76db83	handbook.md	1	Holiday\n\nAt Buttermere you have 28 days of holiday.	{"kind": "heading", "heading": ["Holiday"]}	2026-11-28 02:55:45.164886+00	01a22014-8408-72b9-8e94-8a98977b0373	01a22013-f827-74a3-9e91-e0ae03c0651e	01a22014-e0f9-71ec-ba91-67f8a5617d86
01a22014-e12d-76ae-9433-a18095a6a900	2	50	98	\N	e9d30336-b040-5f08-b9e7-e2dbd198cb73	handbook.md	1	Holiday\n\nAt Buttermere you have 30 days of holiday.	{"kind": "heading", "heading": ["Holiday"]}	2026-11-28 02:55:56.824095+00	01a22014-b194-728c-8811-f4d9fd53e03b	01a22013-f827-74a3-9e91-e0ae03c0651e	01a22014-e0f9-71ec-ba91-67f8a5617d86
01a22014-e12d-76ae-9433-a18185fe65b3	3	100	137	\N	9c5c002d-5caf-5e6a-a7a6-026fcca57e67	handbook.md	1	Holiday\n\nAt Buttermere you have 31 days.	{"kind": "heading", "heading": ["Holiday"]}	2026-11-28 02:55:56.898268+00	01a22014-b1e1-73c2-8e02-e42eb136fbb6	01a22013-f827-74a3-9e91-e0ae03c0651e	01a22014-e0f9-71ec-ba91-67f8a5617d86
01a22015-13b2-70c0-be6b-7f0c7e43c98b	1	0	10	\N	01a22015-1356-7513-ac7c-db5d7618f661	buttermere.txt	1	buttermere passage	{"kind": "text", "page": null, "rows": null, "boxes": [], "heading": []}	2026-11-28 02:56:21.938387+00	01a22015-1346-7097-946d-3df3d4d97977	01a22013-f827-74a3-9e91-e0ae03c0651e	01a22015-13ad-743e-8471-1aaa0126a14c
\.
COPY public.chat_conversation (id, title, created, updated, api_key_id, bot_id, organisation_id, user_id) FROM stdin;
01a22014-830c-7164-b58d-1516490e54a3	vale conversation	2026-11-28 02:55:44.908566+00	2026-11-28 02:55:44.908572+00	\N	01a22014-82fe-7693-8d34-60b4d7cfb1ba	01a22013-f675-7610-b54f-ee0643d6e532	01a22013-f739-77ba-be0d-b7f562db1abe
01a22014-590d-74a6-89ef-a3500f5f2a5b	How many days of holiday do you have?	2026-11-28 02:55:34.16038+00	2026-11-28 02:55:34.188178+00	\N	01a22013-fac7-74bc-9b5d-e2498a7b27a5	01a22013-f675-7610-b54f-ee0643d6e532	01a22013-f739-77ba-be0d-b7f562db1abe
01a22015-1399-750f-a7a7-6effebc80391	buttermere conversation	2026-11-28 02:56:21.913885+00	2026-11-28 02:56:21.913972+00	\N	01a22015-136e-73ef-8a67-914d1217c688	01a22013-f827-74a3-9e91-e0ae03c0651e	01a22013-f835-70ba-a989-43d91656bb1c
01a22014-e0f9-71ec-ba91-67f643b4f68c	How many days of holiday do you have?	2026-11-28 02:56:08.956381+00	2026-11-28 02:56:09.01219+00	\N	01a22014-839b-7211-81de-cdeb6f351c70	01a22013-f827-74a3-9e91-e0ae03c0651e	01a22013-f835-70ba-a989-43d91656bb1c
\.
COPY public.chat_message (id, role, idempotency_key, content, state, mode, model, tokens_in, tokens_out, timings, error_code, rating, created, updated, conversation_id, organisation_id, reply_to_id, revision_id, being_read) FROM stdin;
01a22014-590d-74a6-89ef-a3512a4a85e2	user		How many days of holiday do you have?	done			0	0	{}		\N	2026-11-28 02:55:34.16038+00	2026-11-28 02:55:34.16038+00	01a22014-590d-74a6-89ef-a3500f5f2a5b	01a22013-f675-7610-b54f-ee0643d6e532	\N	\N	0
01a22014-590d-74a6-89ef-a3525477f825	assistant		“At Vale you have 28 days of holiday.” [1]\n\n“At Vale you have 31 days.” [2]\n\n“At Vale you have 30 days of holiday.” [3]	done	extractive		0	0	{"embed_s": 0.1033, "total_s": 0.2005, "search_s": 0.113, "rewrite_s": 0.0571, "first_token_s": 0.2004}		\N	2026-11-28 02:55:34.160381+00	2026-11-28 02:55:34.188178+00	01a22014-590d-74a6-89ef-a3500f5f2a5b	01a22013-f675-7610-b54f-ee0643d6e532	01a22014-590d-74a6-89ef-a3512a4a85e2	01a22013-fb19-723b-b65a-cc70bf592874	0
01a22014-830f-773f-8df2-3c449c3a5b23	user		vale question	done			0	0	{}		\N	2026-11-28 02:55:44.911802+00	2026-11-28 02:55:44.911808+00	01a22014-830c-7164-b58d-1516490e54a3	01a22013-f675-7610-b54f-ee0643d6e532	\N	\N	0
01a22014-8313-7581-a3d1-ba383bcc37f1	assistant		vale answer	done	extractive		0	0	{}		\N	2026-11-28 02:55:44.915299+00	2026-11-28 02:55:44.915305+00	01a22014-830c-7164-b58d-1516490e54a3	01a22013-f675-7610-b54f-ee0643d6e532	01a22014-830f-773f-8df2-3c449c3a5b23	01a22014-8305-769b-b057-2c72521e3591	0
01a22014-e0f9-71ec-ba91-67f70c2abe48	user		How many days of holiday do you have?	done			0	0	{}		\N	2026-11-28 02:56:08.956381+00	2026-11-28 02:56:08.956381+00	01a22014-e0f9-71ec-ba91-67f643b4f68c	01a22013-f827-74a3-9e91-e0ae03c0651e	\N	\N	0
01a22014-e0f9-71ec-ba91-67f8a5617d86	assistant		“At Buttermere you have 28 days of holiday.” [1]\n\n“At Buttermere you have 30 days of holiday.” [2]\n\n“At Buttermere you have 31 days.” [3]	done	extractive		0	0	{"embed_s": 0.0, "total_s": 0.1403, "search_s": 0.0083, "rewrite_s": 0.0799, "first_token_s": 0.1403}		\N	2026-11-28 02:56:08.956382+00	2026-11-28 02:56:09.01219+00	01a22014-e0f9-71ec-ba91-67f643b4f68c	01a22013-f827-74a3-9e91-e0ae03c0651e	01a22014-e0f9-71ec-ba91-67f70c2abe48	01a22014-83a2-7079-89d5-a78a39b8733e	0
01a22015-13a4-7151-8a52-b0be7e60c35a	user		buttermere question	done			0	0	{}		\N	2026-11-28 02:56:21.924398+00	2026-11-28 02:56:21.924408+00	01a22015-1399-750f-a7a7-6effebc80391	01a22013-f827-74a3-9e91-e0ae03c0651e	\N	\N	0
01a22015-13ad-743e-8471-1aaa0126a14c	assistant		buttermere answer	done	extractive		0	0	{}		\N	2026-11-28 02:56:21.933513+00	2026-11-28 02:56:21.933525+00	01a22015-1399-750f-a7a7-6effebc80391	01a22013-f827-74a3-9e91-e0ae03c0651e	01a22015-13a4-7151-8a52-b0be7e60c35a	01a22015-137b-702f-b282-57b79d8b7138	0
\.
COPY public.django_admin_log (id, action_time, object_id, object_repr, action_flag, change_message, content_type_id, user_id) FROM stdin;
\.
COPY public.django_content_type (id, app_label, model) FROM stdin;
1	admin	logentry
2	auth	permission
3	auth	group
4	contenttypes	contenttype
5	sessions	session
6	accounts	organisation
7	accounts	user
8	accounts	invitation
9	accounts	apikey
10	accounts	membership
11	accounts	plan
12	accounts	claimrule
13	accounts	identity
14	accounts	onetimetoken
15	accounts	signin
16	accounts	auditentry
17	accounts	auditdetail
18	accounts	audithead
19	usage	usageentry
20	usage	usagetotal
21	sources	source
22	sources	document
23	sources	documentversion
24	sources	versiontext
25	ingest	chunk
26	ingest	embeddingcache
27	ingest	job
28	bots	bot
29	bots	botrevision
30	bots	botsource
31	chat	conversation
32	chat	message
33	chat	citation
34	privacy	erasure
35	privacy	export
36	privacy	retentionrun
\.
COPY public.django_migrations (id, app, name, applied) FROM stdin;
1	accounts	0001_initial	2026-11-28 02:55:01.389057+00
2	accounts	0002_tenants	2026-11-28 02:55:01.914525+00
3	contenttypes	0001_initial	2026-11-28 02:55:01.94079+00
4	admin	0001_initial	2026-11-28 02:55:01.979509+00
5	admin	0002_logentry_remove_auto_add	2026-11-28 02:55:01.993784+00
6	admin	0003_logentry_add_action_flag_choices	2026-11-28 02:55:02.011957+00
7	contenttypes	0002_remove_content_type_name	2026-11-28 02:55:02.050434+00
8	auth	0001_initial	2026-11-28 02:55:02.232731+00
9	auth	0002_alter_permission_name_max_length	2026-11-28 02:55:02.266705+00
10	auth	0003_alter_user_email_max_length	2026-11-28 02:55:02.298407+00
11	auth	0004_alter_user_username_opts	2026-11-28 02:55:02.359492+00
12	auth	0005_alter_user_last_login_null	2026-11-28 02:55:02.380823+00
13	auth	0006_require_contenttypes_0002	2026-11-28 02:55:02.392908+00
14	auth	0007_alter_validators_add_error_messages	2026-11-28 02:55:02.398515+00
15	auth	0008_alter_user_username_max_length	2026-11-28 02:55:02.423115+00
16	auth	0009_alter_user_last_name_max_length	2026-11-28 02:55:02.440028+00
17	auth	0010_alter_group_name_max_length	2026-11-28 02:55:02.47883+00
18	auth	0011_update_proxy_permissions	2026-11-28 02:55:02.506401+00
19	auth	0012_alter_user_first_name_max_length	2026-11-28 02:55:02.524581+00
20	sources	0001_initial	2026-11-28 02:55:03.034992+00
21	bots	0001_initial	2026-11-28 02:55:03.604166+00
22	bots	0002_bot_paused	2026-11-28 02:55:03.649641+00
23	chat	0001_initial	2026-11-28 02:55:04.136623+00
24	chat	0002_turns	2026-11-28 02:55:04.324596+00
25	ingest	0001_initial	2026-11-28 02:55:04.907665+00
26	privacy	0001_initial	2026-11-28 02:55:05.267637+00
27	sessions	0001_initial	2026-11-28 02:55:05.305029+00
28	usage	0001_initial	2026-11-28 02:55:05.565636+00
\.
COPY public.django_session (session_key, session_data, expire_date) FROM stdin;
je1anhjeje76vgsccx7nsp5iqk2d5933	.eJxVzLsOwjAMheF3yUyjOEnjhJGdZ6js2qUF1Eq9TIh3h0odYD7_d16moW3tm23RuRnEnI0D8t5BqDoMpUJkqlidVIxdnbwwEKs5_TKm9qHjbuVO422y7TSu88B2T-yxLvY6iT4vR_t30NPSfzVQZA7EmTQLi08lx6JYe-BQNIbgsQgQpLYr0YMIgGDE5ByzZBbz_gAf7UGF:1xX8aj:uONOZPLViOa--CI7AzqdCvr3-1mAa6GJPjx3J8GWerQ	2026-12-12 02:55:09.274298+00
58xr6r035x9p17a9omufc8h8crj757lp	.eJxVzMsOwiAQheF3YS1kGAodXLr3GZoBBls1bdLLyvju2qQLXZ__Oy_V8bb23bbI3A1FnRVYRgTrdG1L1W3jSSePqEMVskwgAEGdflni_JBxt-XO420yeRrXeUhmT8yxLuY6FXlejvbvoOel37WrKA4JQ0jsMLovtTZTDZmijRzaGgsFTLVIyj5JA8V5kGKTbyyQen8AkvVA0w:1xX8aj:ZuTg2tNIsWJlmek1r-DWYGmtAhUQWX3ZlffA8vllWv8	2026-12-12 02:55:09.345082+00
u0hqgdpz7f0lkozcv4pkj639lnx82o7r	.eJxVjDkOwjAQRe_iGlu2xyslPWeIZuwxYVEiZakQdyeRUkDzm_fef4sO16Xv1pmn7l7FWWiD1moDsiXwMmpCiTll6aBmE3wgMkWcfjPC8uRhb-sDh9uoyjgs053UrqiDzuo6Vn5dDvfvoMe53-riIgH7aiNSMiWBDtls6xo2yo64eUJvLaIHS2wLUKmBIrXAngOJzxeUtkGI:1xX8aj:k43xiIKtvbIJl-b168_CHMDjQ2LsFThosh1RY3jRPEM	2026-12-12 02:55:09.450135+00
\.
COPY public.ingest_chunk (id, "position", text, embed_text, tokens, start, "end", place, document_id, organisation_id, version_id) FROM stdin;
bd857e4f-2b15-5f3a-b459-03e13d5cbfd5	0	Not a copy.	Not a copy.	4	0	11	{"kind": "text"}	01a22014-2c41-7361-9a9a-09b64033b606	01a22013-f675-7610-b54f-ee0643d6e532	01a22014-2c44-756e-bc0c-483aca4d002d
1ddd8ebe-2ca9-5851-ae28-d6056ecd7af0	0	Vale: nearly a copy.	Vale: nearly a copy.	6	0	20	{"kind": "text"}	01a22014-2c60-71be-9745-395548471747	01a22013-f675-7610-b54f-ee0643d6e532	01a22014-2c61-7656-8789-dbb878bbc9c9
dfde11bd-6e0e-5f45-b566-fde64ceba64c	0	Holiday\n\nAt Vale you have 31 days.	Holiday\n\nAt Vale you have 31 days.	8	0	34	{"kind": "heading", "heading": ["Holiday"]}	01a22014-2c8c-725d-8bfb-5c279ce13985	01a22013-f675-7610-b54f-ee0643d6e532	01a22014-2c8d-70d7-b85f-299802464ef0
0f897af3-9615-5157-833c-a8ef2ea8b573	0	Holiday\n\nAt Vale you have 30 days of holiday.	Holiday\n\nAt Vale you have 30 days of holiday.	10	0	45	{"kind": "heading", "heading": ["Holiday"]}	01a22014-2c0a-7220-a89a-cedac01bd7b2	01a22013-f675-7610-b54f-ee0643d6e532	01a22014-2c11-72c9-aa35-212e3732f1c6
59060d8a-486a-5db4-898d-78c21262ab90	0	Holiday\n\nAt Vale you have 28 days of holiday.	Holiday\n\nAt Vale you have 28 days of holiday.	10	0	45	{"kind": "heading", "heading": ["Holiday"]}	01a22013-fb5d-7495-a04d-8c774372e90e	01a22013-f675-7610-b54f-ee0643d6e532	01a22014-598c-77d1-a2fc-b15bc88d2e30
01a22014-82f8-7780-a6a6-a1214e5eceda	0	vale text	vale text	2	0	9	{"kind": "text", "page": null, "rows": null, "boxes": [], "heading": []}	01a22014-82eb-74d0-951f-c2695b02dc3c	01a22013-f675-7610-b54f-ee0643d6e532	01a22014-82f0-74da-a647-6cac81810624
18129fbf-0a61-5c78-a812-c98903c3117f	0	Vale waits	Vale waits	2	0	10	{"kind": "text"}	01a22014-82bb-7645-aef4-534fb56ca645	01a22013-f675-7610-b54f-ee0643d6e532	01a22014-82bc-75c5-8fa4-430bb78639d5
f7a63f2c-cff2-5d5f-945a-22b9100e5616	0	Holiday\n\nAt Vale you have 31 days.	Holiday\n\nAt Vale you have 31 days.	8	0	34	{"kind": "heading", "heading": ["Holiday"]}	01a22014-2c8c-725d-8bfb-5c279ce13985	01a22013-f675-7610-b54f-ee0643d6e532	01a22014-82cc-72ad-adb1-3633c9890dc4
38758f14-2e8d-5137-946c-9708eca08e16	0	Not a copy.	Not a copy.	4	0	11	{"kind": "text"}	01a22014-b1a8-7614-a7a8-5cc02f95e0c9	01a22013-f827-74a3-9e91-e0ae03c0651e	01a22014-b1ac-727e-8e38-22e3c93c0257
f58cb775-cbbf-5d52-bb69-6adc0c57dd41	0	Buttermere: nearly a copy.	Buttermere: nearly a copy.	7	0	26	{"kind": "text"}	01a22014-b1c4-7003-a732-39762cb72d2c	01a22013-f827-74a3-9e91-e0ae03c0651e	01a22014-b1c4-7003-a732-39771f1e2332
9c5c002d-5caf-5e6a-a7a6-026fcca57e67	0	Holiday\n\nAt Buttermere you have 31 days.	Holiday\n\nAt Buttermere you have 31 days.	9	0	40	{"kind": "heading", "heading": ["Holiday"]}	01a22014-b1e1-73c2-8e02-e42eb136fbb6	01a22013-f827-74a3-9e91-e0ae03c0651e	01a22014-b1e2-707b-8234-891e69fe951e
e9d30336-b040-5f08-b9e7-e2dbd198cb73	0	Holiday\n\nAt Buttermere you have 30 days of holiday.	Holiday\n\nAt Buttermere you have 30 days of holiday.	11	0	51	{"kind": "heading", "heading": ["Holiday"]}	01a22014-b194-728c-8811-f4d9fd53e03b	01a22013-f827-74a3-9e91-e0ae03c0651e	01a22014-b197-7414-9354-d1be6bda35e0
fc5d2cbd-d6ec-5962-9401-6e7ad338b58f	0	Holiday\n\nAt Buttermere you have 28 days of holiday.	Holiday\n\nAt Buttermere you have 28 days of holiday.	11	0	51	{"kind": "heading", "heading": ["Holiday"]}	01a22014-8408-72b9-8e94-8a98977b0373	01a22013-f827-74a3-9e91-e0ae03c0651e	01a22014-e183-7083-a540-ebbfa6f77eb1
01a22015-1356-7513-ac7c-db5d7618f661	0	buttermere text	buttermere text	2	0	15	{"kind": "text", "page": null, "rows": null, "boxes": [], "heading": []}	01a22015-1346-7097-946d-3df3d4d97977	01a22013-f827-74a3-9e91-e0ae03c0651e	01a22015-134b-7440-a626-1718cd85df6a
\.
COPY public.ingest_embeddingcache (id, model, content_hash, vector, organisation_id) FROM stdin;
b1fa5265-cbfa-4e4d-9a16-32c1f40d263e	all-MiniLM-L6-v2	\\x5d637100794d04c759bf7622339e70dbe440cc3ac9aa85f8920fd18d8376ef81	\\x0000000000000000	01a22013-f675-7610-b54f-ee0643d6e532
24d59de3-0b40-47c0-8d15-12d994efc03d	all-MiniLM-L6-v2	\\xac4df0fcafd527b9e60690169c2e924e56782feb2407947929b3c351ce2a6f3d	\\x0000000000000000	01a22013-f675-7610-b54f-ee0643d6e532
c173bc0c-778e-42c9-be17-513f4fd8614f	all-MiniLM-L6-v2	\\x3980744a43232fb592c809c7c26b4495806035bfa49d862b23cb74a5486d7d3b	\\x0000000000000000	01a22013-f675-7610-b54f-ee0643d6e532
2ba80d2a-6bec-4543-bf21-854ca0373199	all-MiniLM-L6-v2	\\x0714aff999b6ad8e4d819be0a18bd4f0ba172d3088b1c909c1dcaeb438f6e483	\\x0000000000000000	01a22013-f675-7610-b54f-ee0643d6e532
338b5bb8-1ce9-447d-a36f-d2be31364f91	all-MiniLM-L6-v2	\\x33d9df38fbf8c35e37684230f1d782b5020e7005800e8357f1e5b5f5d37193ab	\\x0000000000000000	01a22013-f675-7610-b54f-ee0643d6e532
65292af9-c446-4d37-ae1e-608f0ae0d474	all-MiniLM-L6-v2	\\xac4df0fcafd527b9e60690169c2e924e56782feb2407947929b3c351ce2a6f3d	\\x0000000000000000	01a22013-f827-74a3-9e91-e0ae03c0651e
1d907ee6-178a-4699-acfc-ddbb1184d90f	all-MiniLM-L6-v2	\\xfb4e6ee973e9d1fd5a99213f5e493e48c086de3af0daea021408847f8086d9a9	\\x0000000000000000	01a22013-f827-74a3-9e91-e0ae03c0651e
3ab630a9-35c5-491b-b360-2c3e95e878f5	all-MiniLM-L6-v2	\\x2c145f7566ec7544b34c7b9f3f96df8d04010c8673a62d83d3be535d1ee25a39	\\x0000000000000000	01a22013-f827-74a3-9e91-e0ae03c0651e
635932e7-54db-495f-bdac-ab2113092831	all-MiniLM-L6-v2	\\xf353e402dd18d0564ef014e3cd8d337a75dd75f46c201b2296126de9df344283	\\xa9dccbbc8e83053da72a33bdd6b9f23c56c9ea3a75938d3d47c5393d75a9c0bc4ad3b13dac8385bdcc1329bc92b4cfbddc2755bdfa684bbdf69d8f3c52dfaf3c7a790ebc2fd1bfbcdcc96a3dc96b263d0c8304bed937213dd05a3abb576d4fbce6c015bd1f50453ca0d8513d302724bc2dcaad3dcd72ecbdd24686bbe6256d3dcf8ec83d7852c0bc29ec7cbd501c2e3ddd8e5cbba50d873bf3e90bbdde9c253d4c081ebc54113cbd32a305bdc83e92bb52a8073cf6cbd0bce344063d3032bcbc629fdc3b4ccf8abc50123d3da383f2bbb549b9bc77400b3d657f443d3d200d3d819e043e9f68603d0b4cd3bbacb512bd424ae3ba01c7323def8f01bd8dcd843cbe1f2ebdb85c8b3cef32e83cea6c723944ac2dbd235027bd0c2a253dd64f303d974532bd3516c3bd012b0ebcc3e3313d78c7eb3ddfdb483ced26ac3dca7968bda94981bd7b90c8bb492119bd6913a93ba44c1abc0a3db43c1510c43b6c4a71bc0c63d4bcc43962bd35fce73bc7ff7a3d5a8a82bd1a18873de8c95fbc9b81953dac3a503d84369a3d19bfd0bd932fba3dc95f9e3d46591b3ee235a1bda071763bcca0093cd329dcbc326d1a3d638cc43b20f504bba2bba8ba52f5ba3c7e9c1abddbeeb03cae0eb93c856340bc3b9d573dd1729fbde7ff053cf2263b3d88c1c4bcd56f433dee6e7b3d1ebacabdf250b2bcee14e33c1287b5bd41461c3d431588899318613cf8124ebd1002b2bc67956a3d7c281a3a9a76ccbcb6f315bc826dd6bb569895bdae5a2237350e18beaf1d1b3c5b0083bd3ab08abd209924bdf6d1f23ce4b3953d209abdbb3b7327bd19cf8dbc7eeb813aebd1a3bd8b615cbdf8dde83c427895bc8a1a0e3de86ddebbd12fadbdad51633ccdbf6a3cd0ce5cbd055f1e3d16b9423d589793bbc4cdaebcac31143c5e4d4fbc2ff8323c5aab56bd364140bc3a3c64bd91393c3d4f13913c1e01093c0ca744bd0f39b9bd35bd013d8cb95fbb358cf53c5844853d7010933af45d993c8a9069bddb8c4e3dc39f043c8aacdcbc250374bc9a0efa3cb07230bcbd15143d439f053d475a0b3d06e37f3d25126d3d53f574bd60bdaa3b702384bd257ef9bdf3559ebbc447d13c607432bd1244953b715c5e3d6b5387bd4dd5febc8548c63c67fba0bd0b3e1dbd7921df3c4ce25abc548f38bb54248bbdd4ac353cd548643a37e864bbc937dfbd41e1603c175f1dbae98408bd85f44d3dc530ffbd6458c6ba209b793d7f323abd701d15bd483f6c097d46a33c02fbabbd502202bc925206bda44f573d6157293c98d5fc3ba32d383c20aa1cbd2d4b6ebbfa32faba3758353dc962c33d8d809c3b1d14d3bc83b8353d73991c3e6450a2bd2b95793d699db33de668d53c994d85bd47f413be605ff23c4dbe89bd84138a3dede0953de20e9dbd40a397bd357f5b3c390085bc2cc9cabd5f4b6ebd042a8a3dc779843d6db1bd3da441363d31bdf83c8479dabc91d6b93d4d9b903dd08507bd4ed1483cf5c62dbbd81e0e3d47a5fa3cccf5a2bb297cb33c174dcc380069bc3dbf88aa3ca6a24d3c8a5245bd861ca33d55e6df3cb4f8adbc487612bee72a6d3c40288dbd57d3fc3c1b260abd4013023da5f68d3dc304c3bd25dbf8bb76fe273d2f4294bc8ea3eb3b993dc5bb20460e3dbd353a3d3dd81abc37051fbd7698693c74dcf1bc3e648bbddee0223d333c07bdccad773d87063dbc9a31fcbc8319f3bc669c103d64c4973dd4e887bd54d2af3d43ab873d831c27bb7f33b93c86b28dbd8eba063d25bad23cb35c883a62ff1ebd1d48b53c79f74bb26c557cbd6bc628bde5ee24bd23eff83ce36885bb89710d3cb33a5a3d33116ebd87d378bd66c3c83d19696f3c12252f3c0140b33de00992bdff41c73d3157123d30e6d5bcd09830bd93399cbc7d50b3bd4596113d2582623dcc1e3c3df092a1bde575f93cc86d89bd533dd4bc4a6bbcbd54912f3d75d34abc3aa26a3dd947af3d67ee59bcb9ce81bbf71bc13d6ecfc0bb7b30953dec2dec3c69817f3d62fe1b3d7c8ea4bc9f74533dec221cbdcc8f3fbd455634bc82b603bd03feb93dc21f3d3d2c3cdcbb3bceb9bc0f798c3b3b3fadbc11b65c3d3682183df068b23d8144d33b102b7fb823b97abd71eb783de656653dd05fb1bc2cecb9bd6b93643d11568fba	01a22013-f675-7610-b54f-ee0643d6e532
e31d59a7-97c2-4915-8f41-59467e38dd31	all-MiniLM-L6-v2	\\x34d95c9869c0608aaa3e95b132c709b2bb0ef32f6ec801d815d2a483f60537e6	\\x0000000000000000	01a22013-f827-74a3-9e91-e0ae03c0651e
2ebb6343-bbba-4907-af72-397b70e6de86	all-MiniLM-L6-v2	\\x64d285f19710a2b4c4f89bc681e485b24c75b7271afc71757d7f4e7d6e832423	\\x0000000000000000	01a22013-f827-74a3-9e91-e0ae03c0651e
\.
COPY public.ingest_job (id, kind, targets, state, step, attempt, deaths, lease_until, fence, not_before, waiting_since, sent, bytes, error_code, created, updated, document_id, organisation_id, version_id) FROM stdin;
01a22014-5a66-71f2-b405-694606c32db8	delete	{"objects": [], "versions": ["01a22013-fb66-7717-ab07-075236e5aa12"]}	done	\N	1	0	\N	1	\N	\N	\N	0		2026-11-28 02:55:34.503221+00	2026-11-28 02:55:35.043656+00	\N	01a22013-f675-7610-b54f-ee0643d6e532	\N
01a22013-fb6f-76ea-a3e3-4d65ac059ba1	ingest	{}	done	embed	1	0	\N	1	\N	\N	\N	48		2026-11-28 02:55:10.191929+00	2026-11-28 02:55:12.328705+00	01a22013-fb5d-7495-a04d-8c774372e90e	01a22013-f675-7610-b54f-ee0643d6e532	01a22013-fb66-7717-ab07-075236e5aa12
01a22014-82fb-71bc-8870-12d2224dc50f	ingest	{}	done	\N	0	0	\N	0	\N	\N	\N	0		2026-11-28 02:55:44.89179+00	2026-11-28 02:55:44.891796+00	01a22014-82eb-74d0-951f-c2695b02dc3c	01a22013-f675-7610-b54f-ee0643d6e532	01a22014-82f0-74da-a647-6cac81810624
01a22014-2c45-775c-885a-0dccbf59e59f	ingest	{}	done	embed	1	0	\N	1	\N	\N	\N	11		2026-11-28 02:55:22.693234+00	2026-11-28 02:55:22.93723+00	01a22014-2c41-7361-9a9a-09b64033b606	01a22013-f675-7610-b54f-ee0643d6e532	01a22014-2c44-756e-bc0c-483aca4d002d
01a22014-2c65-771d-8540-10e9735eedee	ingest	{}	done	embed	1	0	\N	1	\N	\N	\N	20		2026-11-28 02:55:22.725645+00	2026-11-28 02:55:23.045662+00	01a22014-2c60-71be-9745-395548471747	01a22013-f675-7610-b54f-ee0643d6e532	01a22014-2c61-7656-8789-dbb878bbc9c9
01a22014-2c8e-709f-bb51-29325d4607e0	ingest	{}	done	embed	1	0	\N	1	\N	\N	\N	37		2026-11-28 02:55:22.7662+00	2026-11-28 02:55:23.144334+00	01a22014-2c8c-725d-8bfb-5c279ce13985	01a22013-f675-7610-b54f-ee0643d6e532	01a22014-2c8d-70d7-b85f-299802464ef0
01a22014-8294-7347-96e6-81fcf3aee274	delete	{"objects": ["01a22013-f675-7610-b54f-ee0643d6e532/4a/4af740e6444901c7a901e371f2a91250fb6e7ebb13b50d1a5eebc3a05e80adbd"], "versions": ["01a22014-8260-7162-abf3-b50561201d4d"]}	done	\N	1	0	\N	1	\N	\N	\N	0		2026-11-28 02:55:44.788948+00	2026-11-28 02:55:45.215666+00	\N	01a22013-f675-7610-b54f-ee0643d6e532	\N
01a22014-2c1c-73b3-8794-94ac7943f5c7	ingest	{}	done	embed	1	0	\N	1	\N	\N	\N	48		2026-11-28 02:55:22.652555+00	2026-11-28 02:55:23.242897+00	01a22014-2c0a-7220-a89a-cedac01bd7b2	01a22013-f675-7610-b54f-ee0643d6e532	01a22014-2c11-72c9-aa35-212e3732f1c6
01a22014-2cb3-76b5-b673-321d45014fe6	ingest	{}	failed	\N	1	0	\N	1	\N	\N	\N	859	broken_file	2026-11-28 02:55:22.803219+00	2026-11-28 02:55:23.28225+00	01a22014-2cad-75dd-b216-dd6ec0d61603	01a22013-f675-7610-b54f-ee0643d6e532	01a22014-2caf-76f0-aa1c-ef3c59890a57
01a22014-598f-7445-bcb8-f9a5359f4511	ingest	{}	done	embed	1	0	\N	1	\N	\N	\N	48		2026-11-28 02:55:34.287437+00	2026-11-28 02:55:34.481008+00	01a22013-fb5d-7495-a04d-8c774372e90e	01a22013-f675-7610-b54f-ee0643d6e532	01a22014-598c-77d1-a2fc-b15bc88d2e30
01a22014-82bd-7161-98d2-f963c477b2fb	ingest	{}	done	embed	1	0	\N	1	\N	\N	\N	10		2026-11-28 02:55:44.829535+00	2026-11-28 02:55:45.321289+00	01a22014-82bb-7645-aef4-534fb56ca645	01a22013-f675-7610-b54f-ee0643d6e532	01a22014-82bc-75c5-8fa4-430bb78639d5
01a22014-8410-77c9-b22c-be619ce6c756	ingest	{}	done	embed	1	0	\N	1	\N	\N	\N	54		2026-11-28 02:55:45.168774+00	2026-11-28 02:55:45.536306+00	01a22014-8408-72b9-8e94-8a98977b0373	01a22013-f827-74a3-9e91-e0ae03c0651e	01a22014-840c-76dc-a99f-4f55fbdd256c
01a22014-b1e4-7221-be3e-8e53800e0ca9	ingest	{}	done	embed	1	0	\N	1	\N	\N	\N	43		2026-11-28 02:55:56.900855+00	2026-11-28 02:55:57.384562+00	01a22014-b1e1-73c2-8e02-e42eb136fbb6	01a22013-f827-74a3-9e91-e0ae03c0651e	01a22014-b1e2-707b-8234-891e69fe951e
01a22014-b198-71c1-a353-891856a9f9ba	ingest	{}	done	embed	1	0	\N	1	\N	\N	\N	54		2026-11-28 02:55:56.824974+00	2026-11-28 02:55:57.545978+00	01a22014-b194-728c-8811-f4d9fd53e03b	01a22013-f827-74a3-9e91-e0ae03c0651e	01a22014-b197-7414-9354-d1be6bda35e0
01a22014-b20a-74c8-aa69-0f356d09a804	ingest	{}	failed	\N	1	0	\N	1	\N	\N	\N	859	broken_file	2026-11-28 02:55:56.938526+00	2026-11-28 02:55:57.631901+00	01a22014-b202-713f-a088-a596948e2149	01a22013-f827-74a3-9e91-e0ae03c0651e	01a22014-b209-708b-afce-de29e829879f
01a22014-b1b0-70dc-837a-48875d1e96bc	ingest	{}	done	embed	1	0	\N	1	\N	\N	\N	11		2026-11-28 02:55:56.848326+00	2026-11-28 02:55:57.216001+00	01a22014-b1a8-7614-a7a8-5cc02f95e0c9	01a22013-f827-74a3-9e91-e0ae03c0651e	01a22014-b1ac-727e-8e38-22e3c93c0257
01a22014-b1cc-708c-bcbb-323421e1d469	ingest	{}	done	embed	1	0	\N	1	\N	\N	\N	26		2026-11-28 02:55:56.876596+00	2026-11-28 02:55:57.258024+00	01a22014-b1c4-7003-a732-39762cb72d2c	01a22013-f827-74a3-9e91-e0ae03c0651e	01a22014-b1c4-7003-a732-39771f1e2332
01a22014-e19c-72ae-aaef-060ef6c2c55b	ingest	{}	done	embed	1	0	\N	1	\N	\N	\N	54		2026-11-28 02:56:09.116542+00	2026-11-28 02:56:09.640184+00	01a22014-8408-72b9-8e94-8a98977b0373	01a22013-f827-74a3-9e91-e0ae03c0651e	01a22014-e183-7083-a540-ebbfa6f77eb1
01a22014-e3e0-7480-8ccf-8134867b80fb	delete	{"objects": [], "versions": ["01a22014-840c-76dc-a99f-4f55fbdd256c"]}	done	\N	1	0	\N	1	\N	\N	\N	0		2026-11-28 02:56:09.696604+00	2026-11-28 02:56:10.32194+00	\N	01a22013-f827-74a3-9e91-e0ae03c0651e	\N
01a22014-82cd-71de-be70-3ecf43ac90e3	ingest	{}	queued	embed	60	0	\N	60	2026-11-28 02:56:23.064182+00	2026-11-28 02:56:21.064182+00	\N	37	search_unavailable	2026-11-28 02:55:44.845305+00	2026-11-28 02:56:21.076175+00	01a22014-2c8c-725d-8bfb-5c279ce13985	01a22013-f675-7610-b54f-ee0643d6e532	01a22014-82cc-72ad-adb1-3633c9890dc4
01a22015-12ae-7568-b2b2-72739b2c4a1a	delete	{"objects": ["01a22013-f827-74a3-9e91-e0ae03c0651e/71/71f3f464a327fbdd796d6a4ace13aea8804fceb4b3a34ae3e1e36eed751d39c3"], "versions": ["01a22015-1270-703d-975f-aaccf0b9a971"]}	queued	\N	0	0	\N	0	\N	\N	\N	0		2026-11-28 02:56:21.678537+00	2026-11-28 02:56:21.678547+00	\N	01a22013-f827-74a3-9e91-e0ae03c0651e	\N
01a22015-12f5-76bf-b441-5463d046b7c7	ingest	{}	queued	\N	0	0	\N	0	\N	\N	\N	16		2026-11-28 02:56:21.749715+00	2026-11-28 02:56:21.749722+00	01a22015-12e8-745b-8a96-0f26e8416399	01a22013-f827-74a3-9e91-e0ae03c0651e	01a22015-12ed-75ac-aa27-0fe213b6b7a1
01a22015-1312-7460-bad4-ba61f547c591	ingest	{}	queued	\N	0	0	\N	0	\N	\N	\N	43		2026-11-28 02:56:21.778755+00	2026-11-28 02:56:21.778759+00	01a22014-b1e1-73c2-8e02-e42eb136fbb6	01a22013-f827-74a3-9e91-e0ae03c0651e	01a22015-1311-7246-b1db-5f0abdada90f
01a22015-1365-776b-a168-9b98ac5f6576	ingest	{}	done	\N	0	0	\N	0	\N	\N	\N	0		2026-11-28 02:56:21.861571+00	2026-11-28 02:56:21.861583+00	01a22015-1346-7097-946d-3df3d4d97977	01a22013-f827-74a3-9e91-e0ae03c0651e	01a22015-134b-7440-a626-1718cd85df6a
\.
COPY public.privacy_erasure (id, state, percent, attempt, deaths, lease_until, fence, not_before, error_code, created, updated, kind, subject, asked_by, asked_by_kind, targets, receipt, finished, organisation_id) FROM stdin;
01a22014-8360-75e6-ae8d-cd500c937afa	done	0	0	0	\N	0	\N		2026-11-28 02:55:44.992601+00	2026-11-28 02:55:44.992607+00	person	01a22014-8360-75e6-ae8d-cd4f872a4ca1	\N	person	{}	\N	2026-11-28 02:55:44.982964+00	01a22013-f675-7610-b54f-ee0643d6e532
01a22014-838c-771c-abcc-5fe80ddf41bd	queued	0	0	0	\N	0	\N		2026-11-28 02:55:45.036589+00	2026-11-28 02:55:45.036595+00	conversation	01a22014-838c-771c-abcc-5fe7664767d6	\N	person	{}	\N	\N	01a22013-f675-7610-b54f-ee0643d6e532
01a22015-1450-75f0-9956-62e4ff1e0434	done	0	0	0	\N	0	\N		2026-11-28 02:56:22.097034+00	2026-11-28 02:56:22.097044+00	person	01a22015-1450-75f0-9956-62e39278d213	\N	person	{}	\N	2026-11-28 02:56:22.066568+00	01a22013-f827-74a3-9e91-e0ae03c0651e
01a22015-148c-72a0-9cd0-b27d72d84532	queued	0	0	0	\N	0	\N		2026-11-28 02:56:22.157076+00	2026-11-28 02:56:22.157083+00	conversation	01a22015-148c-72a0-9cd0-b27c47861601	\N	person	{}	\N	\N	01a22013-f827-74a3-9e91-e0ae03c0651e
\.
COPY public.privacy_export (id, state, percent, attempt, deaths, lease_until, fence, not_before, error_code, created, updated, kind, conversations, storage_key, bytes, sha256, counts, expires, organisation_id, person_id, requested_by_id) FROM stdin;
01a22014-8359-727d-bdd6-e058385804d3	done	0	0	0	\N	0	\N		2026-11-28 02:55:44.985814+00	2026-11-28 02:55:44.985819+00	organisation	t	01a22013-f675-7610-b54f-ee0643d6e532/28/28f837e197532d87f76fd3fd49451285c14bb5074f60f747cb862589b77adb98	16		{}	2026-11-29 02:55:44.982964+00	01a22013-f675-7610-b54f-ee0643d6e532	\N	01a22013-f739-77ba-be0d-b7f562db1abe
01a22014-8391-738c-9c17-d71dc647f610	queued	0	0	0	\N	0	\N		2026-11-28 02:55:45.04142+00	2026-11-28 02:55:45.041424+00	organisation	t		0		{}	2026-12-05 02:55:45.041255+00	01a22013-f675-7610-b54f-ee0643d6e532	\N	01a22013-f739-77ba-be0d-b7f562db1abe
01a22015-1447-70bd-b6d5-b689659c8cd7	done	0	0	0	\N	0	\N		2026-11-28 02:56:22.087991+00	2026-11-28 02:56:22.088002+00	organisation	t	01a22013-f827-74a3-9e91-e0ae03c0651e/45/45d5da92cbe419858507bf48f1ed9e5f121d6050fd359ed7a526162fe12b862b	16		{}	2026-11-29 02:56:22.066568+00	01a22013-f827-74a3-9e91-e0ae03c0651e	\N	01a22013-f835-70ba-a989-43d91656bb1c
01a22015-1494-747b-990c-6f49401b6633	queued	0	0	0	\N	0	\N		2026-11-28 02:56:22.164389+00	2026-11-28 02:56:22.164393+00	organisation	t		0		{}	2026-12-05 02:56:22.164178+00	01a22013-f827-74a3-9e91-e0ae03c0651e	\N	01a22013-f835-70ba-a989-43d91656bb1c
\.
COPY public.privacy_retentionrun (id, night, counts, created, organisation_id) FROM stdin;
01a22014-8369-7269-85dc-b02d9250f323	2026-11-28	{"conversations": 1}	2026-11-28 02:55:45.002074+00	01a22013-f675-7610-b54f-ee0643d6e532
01a22015-1453-7549-be41-f522e77eeca6	2026-11-28	{"conversations": 1}	2026-11-28 02:56:22.100109+00	01a22013-f827-74a3-9e91-e0ae03c0651e
\.
COPY public.sources_document (id, name, media_type, bytes, sha256, state, step, percent, version, chunks, pages, error_code, error_message, created, updated, organisation_id, uploaded_by_id, source_id, active_version_id) FROM stdin;
01a22014-82eb-74d0-951f-c2695b02dc3c	vale.txt	text/plain	9	4aa984414e7ace1aa56e3c792728daa07564110a1622f08467870205a4f883b6	ready	\N	0	1	1	\N			2026-11-28 02:55:44.87535+00	2026-11-28 02:55:44.875356+00	01a22013-f675-7610-b54f-ee0643d6e532	01a22013-f739-77ba-be0d-b7f562db1abe	01a22014-82e3-70f7-a465-135244fdb42f	01a22014-82f0-74da-a647-6cac81810624
01a22014-2c41-7361-9a9a-09b64033b606	handbook (2).md	text/markdown	11	ac4df0fcafd527b9e60690169c2e924e56782feb2407947929b3c351ce2a6f3d	ready	\N	100	1	1	\N			2026-11-28 02:55:22.689948+00	2026-11-28 02:55:22.93723+00	01a22013-f675-7610-b54f-ee0643d6e532	\N	01a22013-fb30-74d1-bbce-b6d3ee7265df	01a22014-2c44-756e-bc0c-483aca4d002d
01a22014-2c60-71be-9745-395548471747	handbook.md (2)	text/plain	20	3980744a43232fb592c809c7c26b4495806035bfa49d862b23cb74a5486d7d3b	ready	\N	100	1	1	\N			2026-11-28 02:55:22.720486+00	2026-11-28 02:55:23.045662+00	01a22013-f675-7610-b54f-ee0643d6e532	\N	01a22013-fb30-74d1-bbce-b6d3ee7265df	01a22014-2c61-7656-8789-dbb878bbc9c9
01a22014-82bb-7645-aef4-534fb56ca645	waiting.txt	text/plain	10	f353e402dd18d0564ef014e3cd8d337a75dd75f46c201b2296126de9df344283	ready	\N	100	1	1	\N			2026-11-28 02:55:44.828028+00	2026-11-28 02:55:45.321289+00	01a22013-f675-7610-b54f-ee0643d6e532	\N	01a22013-fb30-74d1-bbce-b6d3ee7265df	01a22014-82bc-75c5-8fa4-430bb78639d5
01a22014-2c0a-7220-a89a-cedac01bd7b2	handbook.md	text/markdown	48	908e2c76e1644ca940536c68e426ca427e4c9be618646593605850848736d289	ready	\N	100	1	1	\N			2026-11-28 02:55:22.635029+00	2026-11-28 02:55:23.242897+00	01a22013-f675-7610-b54f-ee0643d6e532	\N	01a22013-fb30-74d1-bbce-b6d3ee7265df	01a22014-2c11-72c9-aa35-212e3732f1c6
01a22014-2cad-75dd-b216-dd6ec0d61603	broken.pdf		859	79757e7820f082ca4498d59477fe07ad2f5a352dbb824bc9dfbc86504a550e9c	failed	fetch	0	1	0	\N	broken_file	The file is damaged and cannot be read.	2026-11-28 02:55:22.798135+00	2026-11-28 02:55:23.286649+00	01a22013-f675-7610-b54f-ee0643d6e532	\N	01a22013-fb30-74d1-bbce-b6d3ee7265df	\N
01a22013-fb5d-7495-a04d-8c774372e90e	handbook.md	text/markdown	48	a401a77eaec5b3e07db01ac4ca53a8202641f814e0186a76b73c68bfac71fcd5	ready	\N	100	2	1	\N			2026-11-28 02:55:10.173698+00	2026-11-28 02:55:34.481008+00	01a22013-f675-7610-b54f-ee0643d6e532	\N	01a22013-fb30-74d1-bbce-b6d3ee7265df	01a22014-598c-77d1-a2fc-b15bc88d2e30
01a22014-b1a8-7614-a7a8-5cc02f95e0c9	handbook (2).md	text/markdown	11	ac4df0fcafd527b9e60690169c2e924e56782feb2407947929b3c351ce2a6f3d	ready	\N	100	1	1	\N			2026-11-28 02:55:56.840869+00	2026-11-28 02:55:57.216001+00	01a22013-f827-74a3-9e91-e0ae03c0651e	\N	01a22014-83c6-7036-b11d-13ad572381b0	01a22014-b1ac-727e-8e38-22e3c93c0257
01a22014-b1c4-7003-a732-39762cb72d2c	handbook.md (2)	text/plain	26	fb4e6ee973e9d1fd5a99213f5e493e48c086de3af0daea021408847f8086d9a9	ready	\N	100	1	1	\N			2026-11-28 02:55:56.868373+00	2026-11-28 02:55:57.258024+00	01a22013-f827-74a3-9e91-e0ae03c0651e	\N	01a22014-83c6-7036-b11d-13ad572381b0	01a22014-b1c4-7003-a732-39771f1e2332
01a22014-b194-728c-8811-f4d9fd53e03b	handbook.md	text/markdown	54	c31af52d0b218c47eb908d447fc52472ce2e42b7ada9a146f107f2a893c03a10	ready	\N	100	1	1	\N			2026-11-28 02:55:56.821119+00	2026-11-28 02:55:57.545978+00	01a22013-f827-74a3-9e91-e0ae03c0651e	\N	01a22014-83c6-7036-b11d-13ad572381b0	01a22014-b197-7414-9354-d1be6bda35e0
01a22014-b202-713f-a088-a596948e2149	broken.pdf		859	79757e7820f082ca4498d59477fe07ad2f5a352dbb824bc9dfbc86504a550e9c	failed	fetch	0	1	0	\N	broken_file	The file is damaged and cannot be read.	2026-11-28 02:55:56.93072+00	2026-11-28 02:55:57.632793+00	01a22013-f827-74a3-9e91-e0ae03c0651e	\N	01a22014-83c6-7036-b11d-13ad572381b0	\N
01a22014-8408-72b9-8e94-8a98977b0373	handbook.md	text/markdown	54	0d632ddb4c94bc2ca2aa0dd075fcd852503e581e1f1b9f19cd5dd761ed86d05f	ready	\N	100	2	1	\N			2026-11-28 02:55:45.163436+00	2026-11-28 02:56:09.640184+00	01a22013-f827-74a3-9e91-e0ae03c0651e	\N	01a22014-83c6-7036-b11d-13ad572381b0	01a22014-e183-7083-a540-ebbfa6f77eb1
01a22014-2c8c-725d-8bfb-5c279ce13985	handbook.md	text/markdown	37	638f346ee687629402b6558412f5a64cd1d4715890f7f88ebcb737edf8a200ce	queued	embed	0	2	1	\N	search_unavailable	Search is unavailable.	2026-11-28 02:55:22.764413+00	2026-11-28 02:56:21.082478+00	01a22013-f675-7610-b54f-ee0643d6e532	\N	01a22013-fb30-74d1-bbce-b6d3ee7265df	01a22014-2c8d-70d7-b85f-299802464ef0
01a22015-12e8-745b-8a96-0f26e8416399	waiting.txt		16	cb9198315a21d404601896968d3fc073c64cccedd9f8a024e0835523ab1a5657	queued	\N	0	1	0	\N			2026-11-28 02:56:21.738765+00	2026-11-28 02:56:21.738783+00	01a22013-f827-74a3-9e91-e0ae03c0651e	\N	01a22014-83c6-7036-b11d-13ad572381b0	\N
01a22014-b1e1-73c2-8e02-e42eb136fbb6	handbook.md	text/markdown	43	6f76e359e05c685e220285961285db529e8de445e3e07528d3be3f0634764ce9	queued	\N	0	1	1	\N			2026-11-28 02:55:56.897703+00	2026-11-28 02:56:21.782035+00	01a22013-f827-74a3-9e91-e0ae03c0651e	\N	01a22014-83c6-7036-b11d-13ad572381b0	01a22014-b1e2-707b-8234-891e69fe951e
01a22015-1346-7097-946d-3df3d4d97977	buttermere.txt	text/plain	15	03452e6a2fd3e3438f25321ee0debdfd2566cbe208880d259f7be8d710d3ac8a	ready	\N	0	1	1	\N			2026-11-28 02:56:21.831144+00	2026-11-28 02:56:21.831157+00	01a22013-f827-74a3-9e91-e0ae03c0651e	01a22013-f835-70ba-a989-43d91656bb1c	01a22015-1328-7036-962a-ce69c521efc3	01a22015-134b-7440-a626-1718cd85df6a
\.
COPY public.sources_documentversion (id, number, state, storage_key, media_type, title, language, pages, chunks, embedding_model, warnings, created, document_id, organisation_id) FROM stdin;
01a22014-2caf-76f0-aa1c-ef3c59890a57	1	building	01a22013-f675-7610-b54f-ee0643d6e532/79/79757e7820f082ca4498d59477fe07ad2f5a352dbb824bc9dfbc86504a550e9c				\N	0		[]	2026-11-28 02:55:22.799438+00	01a22014-2cad-75dd-b216-dd6ec0d61603	01a22013-f675-7610-b54f-ee0643d6e532
01a22014-2c44-756e-bc0c-483aca4d002d	1	active	01a22013-f675-7610-b54f-ee0643d6e532/ac/ac4df0fcafd527b9e60690169c2e924e56782feb2407947929b3c351ce2a6f3d	text/markdown		en	\N	1	all-MiniLM-L6-v2	[]	2026-11-28 02:55:22.692614+00	01a22014-2c41-7361-9a9a-09b64033b606	01a22013-f675-7610-b54f-ee0643d6e532
01a22014-2c61-7656-8789-dbb878bbc9c9	1	active	01a22013-f675-7610-b54f-ee0643d6e532/39/3980744a43232fb592c809c7c26b4495806035bfa49d862b23cb74a5486d7d3b	text/plain			\N	1	all-MiniLM-L6-v2	[]	2026-11-28 02:55:22.721168+00	01a22014-2c60-71be-9745-395548471747	01a22013-f675-7610-b54f-ee0643d6e532
01a22014-b209-708b-afce-de29e829879f	1	building	01a22013-f827-74a3-9e91-e0ae03c0651e/79/79757e7820f082ca4498d59477fe07ad2f5a352dbb824bc9dfbc86504a550e9c				\N	0		[]	2026-11-28 02:55:56.937289+00	01a22014-b202-713f-a088-a596948e2149	01a22013-f827-74a3-9e91-e0ae03c0651e
01a22014-2c8d-70d7-b85f-299802464ef0	1	active	01a22013-f675-7610-b54f-ee0643d6e532/63/638f346ee687629402b6558412f5a64cd1d4715890f7f88ebcb737edf8a200ce	text/markdown	Holiday	en	\N	1	all-MiniLM-L6-v2	[]	2026-11-28 02:55:22.76569+00	01a22014-2c8c-725d-8bfb-5c279ce13985	01a22013-f675-7610-b54f-ee0643d6e532
01a22014-2c11-72c9-aa35-212e3732f1c6	1	active	01a22013-f675-7610-b54f-ee0643d6e532/90/908e2c76e1644ca940536c68e426ca427e4c9be618646593605850848736d289	text/markdown	Holiday	en	\N	1	all-MiniLM-L6-v2	[]	2026-11-28 02:55:22.641845+00	01a22014-2c0a-7220-a89a-cedac01bd7b2	01a22013-f675-7610-b54f-ee0643d6e532
01a22014-b1ac-727e-8e38-22e3c93c0257	1	active	01a22013-f827-74a3-9e91-e0ae03c0651e/ac/ac4df0fcafd527b9e60690169c2e924e56782feb2407947929b3c351ce2a6f3d	text/markdown		en	\N	1	all-MiniLM-L6-v2	[]	2026-11-28 02:55:56.844374+00	01a22014-b1a8-7614-a7a8-5cc02f95e0c9	01a22013-f827-74a3-9e91-e0ae03c0651e
01a22014-598c-77d1-a2fc-b15bc88d2e30	2	active	01a22013-f675-7610-b54f-ee0643d6e532/a4/a401a77eaec5b3e07db01ac4ca53a8202641f814e0186a76b73c68bfac71fcd5	text/markdown	Holiday	en	\N	1	all-MiniLM-L6-v2	[]	2026-11-28 02:55:34.284722+00	01a22013-fb5d-7495-a04d-8c774372e90e	01a22013-f675-7610-b54f-ee0643d6e532
01a22013-fb66-7717-ab07-075236e5aa12	1	retired	01a22013-f675-7610-b54f-ee0643d6e532/a4/a401a77eaec5b3e07db01ac4ca53a8202641f814e0186a76b73c68bfac71fcd5	text/markdown	Holiday	en	\N	1	all-MiniLM-L6-v2	[]	2026-11-28 02:55:10.184294+00	01a22013-fb5d-7495-a04d-8c774372e90e	01a22013-f675-7610-b54f-ee0643d6e532
01a22014-82f0-74da-a647-6cac81810624	1	active	01a22013-f675-7610-b54f-ee0643d6e532/4a/4aa984414e7ace1aa56e3c792728daa07564110a1622f08467870205a4f883b6	text/plain	vale title		\N	1		[]	2026-11-28 02:55:44.881131+00	01a22014-82eb-74d0-951f-c2695b02dc3c	01a22013-f675-7610-b54f-ee0643d6e532
01a22015-12ed-75ac-aa27-0fe213b6b7a1	1	building	01a22013-f827-74a3-9e91-e0ae03c0651e/cb/cb9198315a21d404601896968d3fc073c64cccedd9f8a024e0835523ab1a5657				\N	0		[]	2026-11-28 02:56:21.741971+00	01a22015-12e8-745b-8a96-0f26e8416399	01a22013-f827-74a3-9e91-e0ae03c0651e
01a22014-82bc-75c5-8fa4-430bb78639d5	1	active	01a22013-f675-7610-b54f-ee0643d6e532/f3/f353e402dd18d0564ef014e3cd8d337a75dd75f46c201b2296126de9df344283	text/plain			\N	1	all-MiniLM-L6-v2	[]	2026-11-28 02:55:44.828656+00	01a22014-82bb-7645-aef4-534fb56ca645	01a22013-f675-7610-b54f-ee0643d6e532
01a22014-82cc-72ad-adb1-3633c9890dc4	2	building	01a22013-f675-7610-b54f-ee0643d6e532/63/638f346ee687629402b6558412f5a64cd1d4715890f7f88ebcb737edf8a200ce	text/markdown	Holiday	en	\N	1	all-MiniLM-L6-v2	[]	2026-11-28 02:55:44.844772+00	01a22014-2c8c-725d-8bfb-5c279ce13985	01a22013-f675-7610-b54f-ee0643d6e532
01a22015-1311-7246-b1db-5f0abdada90f	2	building	01a22013-f827-74a3-9e91-e0ae03c0651e/6f/6f76e359e05c685e220285961285db529e8de445e3e07528d3be3f0634764ce9				\N	0		[]	2026-11-28 02:56:21.77808+00	01a22014-b1e1-73c2-8e02-e42eb136fbb6	01a22013-f827-74a3-9e91-e0ae03c0651e
01a22014-b1c4-7003-a732-39771f1e2332	1	active	01a22013-f827-74a3-9e91-e0ae03c0651e/fb/fb4e6ee973e9d1fd5a99213f5e493e48c086de3af0daea021408847f8086d9a9	text/plain			\N	1	all-MiniLM-L6-v2	[]	2026-11-28 02:55:56.86887+00	01a22014-b1c4-7003-a732-39762cb72d2c	01a22013-f827-74a3-9e91-e0ae03c0651e
01a22015-134b-7440-a626-1718cd85df6a	1	active	01a22013-f827-74a3-9e91-e0ae03c0651e/03/03452e6a2fd3e3438f25321ee0debdfd2566cbe208880d259f7be8d710d3ac8a	text/plain	buttermere title		\N	1		[]	2026-11-28 02:56:21.835795+00	01a22015-1346-7097-946d-3df3d4d97977	01a22013-f827-74a3-9e91-e0ae03c0651e
01a22014-b1e2-707b-8234-891e69fe951e	1	active	01a22013-f827-74a3-9e91-e0ae03c0651e/6f/6f76e359e05c685e220285961285db529e8de445e3e07528d3be3f0634764ce9	text/markdown	Holiday	en	\N	1	all-MiniLM-L6-v2	[]	2026-11-28 02:55:56.898268+00	01a22014-b1e1-73c2-8e02-e42eb136fbb6	01a22013-f827-74a3-9e91-e0ae03c0651e
01a22014-b197-7414-9354-d1be6bda35e0	1	active	01a22013-f827-74a3-9e91-e0ae03c0651e/c3/c31af52d0b218c47eb908d447fc52472ce2e42b7ada9a146f107f2a893c03a10	text/markdown	Holiday	en	\N	1	all-MiniLM-L6-v2	[]	2026-11-28 02:55:56.824095+00	01a22014-b194-728c-8811-f4d9fd53e03b	01a22013-f827-74a3-9e91-e0ae03c0651e
01a22014-e183-7083-a540-ebbfa6f77eb1	2	active	01a22013-f827-74a3-9e91-e0ae03c0651e/0d/0d632ddb4c94bc2ca2aa0dd075fcd852503e581e1f1b9f19cd5dd761ed86d05f	text/markdown	Holiday	en	\N	1	all-MiniLM-L6-v2	[]	2026-11-28 02:56:09.091469+00	01a22014-8408-72b9-8e94-8a98977b0373	01a22013-f827-74a3-9e91-e0ae03c0651e
01a22014-840c-76dc-a99f-4f55fbdd256c	1	retired	01a22013-f827-74a3-9e91-e0ae03c0651e/0d/0d632ddb4c94bc2ca2aa0dd075fcd852503e581e1f1b9f19cd5dd761ed86d05f	text/markdown	Holiday	en	\N	1	all-MiniLM-L6-v2	[]	2026-11-28 02:55:45.164886+00	01a22014-8408-72b9-8e94-8a98977b0373	01a22013-f827-74a3-9e91-e0ae03c0651e
\.
COPY public.sources_source (id, name, kind, created, organisation_id) FROM stdin;
01a22013-fb30-74d1-bbce-b6d3ee7265df	Uploads	uploads	2026-11-28 02:55:10.128894+00	01a22013-f675-7610-b54f-ee0643d6e532
01a22014-82e3-70f7-a465-135244fdb42f	vale source	uploads	2026-11-28 02:55:44.867986+00	01a22013-f675-7610-b54f-ee0643d6e532
01a22014-83c6-7036-b11d-13ad572381b0	Uploads	uploads	2026-11-28 02:55:45.094298+00	01a22013-f827-74a3-9e91-e0ae03c0651e
01a22015-1328-7036-962a-ce69c521efc3	buttermere source	uploads	2026-11-28 02:56:21.800565+00	01a22013-f827-74a3-9e91-e0ae03c0651e
\.
COPY public.sources_versiontext (version_id, blocks, organisation_id) FROM stdin;
01a22014-2c44-756e-bc0c-483aca4d002d	\\x789c358c4b0a84301044af22b50e8adb1cc20b880cad364e484c82b63f247737c2ccaa5e51c5bbb143d70a338f863e72458686f029d54c8b1dc3e1a11069e215da6fce298811c7ff72d0e28d9ff2d876ef4fbe3fec5d18eccb376c36c66c919c4d90828a21c4ab44ead2037926295f	01a22013-f675-7610-b54f-ee0643d6e532
01a22014-2c61-7656-8789-dbb878bbc9c9	\\x789c358c4b0a83401044af32d47a88643b07c92648e89846073b6da39dcf20de3d239855bda28ab7e28d748e78f223d3cd8b31129cbfde9850564418f5bc20e94b24c2b30bffcb8766cddad7f1daee3f1f0ebccbd48d3baf18abceaac56b5e483805659aa5040add64e584addd7e58332b4c	01a22013-f675-7610-b54f-ee0643d6e532
01a22014-2c8d-70d7-b85f-299802464ef0	\\x789c55cec10ac2300c06e0572939177578ebcd9b4fe0650c89aeaca5595bb66cb38cbdbbad0ec15bf8f3fd212bcca02a09bd6e2dde39450d0a58bff8d8e3e0dab0789010b1d323283f114960cb54d035906d31e5f58283b7becba26e0a6653c6fa279a9c3e283c5d895770b96c728dff8ed0e70d03eab4c9af89bbb9b0b8216991c2240cce5a9c2b913be30176df6c6fe6613d8e	01a22013-f675-7610-b54f-ee0643d6e532
01a22014-2c11-72c9-aa35-212e3732f1c6	\\x789c558e410e82301045af329975a31877ddb9f3046e0831a354da30b404069010ee6e2bc4c4dde4fff77e66c111f54961634a4777995b831ac5bce5d850579761f2a8b0a5caf4a8fdc0ac509c7082ae815d4973ac27eabcf35524f222c162d399ff8822a60f0ecf3ac50bd651b65193bf11febe615167abda9876672e023762037318c0d268e09c41747a082fb09b7fc05d2dd60fad63418c	01a22013-f675-7610-b54f-ee0643d6e532
01a22014-598c-77d1-a2fc-b15bc88d2e30	\\x789c558ecb0a833010457f659875e86b55b2ebae5fd08d4899d6d404c74474d48af8ef4daa14ba1bee3de732330ea88f0a6b5338bacbd418d428e62dfb9adaaa08a347850d95a643ed7b6685e28413740dec0a9a623d52eb9d2f2391e509169bceec47e4317d707856299eb18ab28d9afc8df0f70d8bfab0a8956936e62270233630851e2c0d064e67884e07e10576f577b8a9f9f201ae264193	01a22013-f675-7610-b54f-ee0643d6e532
01a22014-82f0-74da-a647-6cac81810624	\\x789c358c4b0a80301043af225917c46daf2222a30e5a1c6bd1f18778775bd0555e48783776d8c260e2ce51ad576058289f9a0721e76110a8e715d66f2206ea54f82f072ddef93e8e65957e3a7cd8c8dc8e896f8c5117a24563ee249c25379eea7901933227e2	01a22013-f675-7610-b54f-ee0643d6e532
01a22014-82bc-75c5-8fa4-430bb78639d5	\\x789c358c4b0a84400c44af32d4ba41dcf64166232299316830b68dc61fe2dd6d4157f58a2ade81053e77e8b916aa6c8f0c0fe3cdb2a824010e911a9ee0c3acea6062ca6f59690c129a3416e5fdb3f6c19f0effeee6035dd2c564b1945f52feac2436e12ccf0bb9ac2825	01a22013-f675-7610-b54f-ee0643d6e532
01a22014-82cc-72ad-adb1-3633c9890dc4	\\x789c55cec10ac2300c06e0572939177578ebcd9b4fe0650c89aeaca5595bb66cb38cbdbbad0ec15bf8f3fd212bcca02a09bd6e2dde39450d0a58bff8d8e3e0dab0789010b1d323283f114960cb54d035906d31e5f58283b7becba26e0a6653c6fa279a9c3e283c5d895770b96c728dff8ed0e70d03eab4c9af89bbb9b0b8216991c2240cce5a9c2b913be30176df6c6fe6613d8e	01a22013-f675-7610-b54f-ee0643d6e532
01a22014-b1ac-727e-8e38-22e3c93c0257	\\x789c358c4b0a84301044af22b50e8adb1cc20b880cad364e484c82b63f247737c2ccaa5e51c5bbb143d70a338f863e72458686f029d54c8b1dc3e1a11069e215da6fce298811c7ff72d0e28d9ff2d876ef4fbe3fec5d18eccb376c36c66c919c4d90828a21c4ab44ead2037926295f	01a22013-f827-74a3-9e91-e0ae03c0651e
01a22014-b1c4-7003-a732-39771f1e2332	\\x789c358cc10ac23010447f25cc39285e73f437a4c85a971abadd2e71ab86d27f37053dcd1b66782b5e48a78889ef99ae5e8d91e0fcf1a309654584d1c04f245d44223cbbf0bfbca968d6a18d976efff9e3873799fb71e71563d359b378cbf3e2ce65e2c2292853911a28f4b3d503b66efb026fbf2de3	01a22013-f827-74a3-9e91-e0ae03c0651e
01a22014-b1e2-707b-8234-891e69fe951e	\\x789c558e410ac2301045af12661dd4e22e3b5d79875264b443139a26259db486d2bb9b6811dc0dffbff7991566509584815a83774e238102a6171f070c7deb17071246ec6802e5a2b512d8b02dd0cd5bd362caf582c119d765a26e0accba9cf58f6872fab0fed99778853ecb3a6bfc37623f6f6850a74d7e9971672e2cae9199c2408144f251689c499c2b91cde900bbd56c6f76b64025	01a22013-f827-74a3-9e91-e0ae03c0651e
01a22014-b197-7414-9354-d1be6bda35e0	\\x789c558e410e82301045af329975a31877dde9ca3b1062aa8cb4a1b4a44c4142b8bbad10137793ffdf7f9905479427811dd546dd79ee092532bdf9d8a9d0d67e7228b0570d0d285db456201bb619ba796b6a35a77a52c119d724a2ac32cc3a9fe58fa852fab0fed9e678c1368d759af19fc47edfd0288b556c4cbf3317866b64a6d05120987d04ad468273016939807f81de2c07dc05d5fa015a354423	01a22013-f827-74a3-9e91-e0ae03c0651e
01a22014-e183-7083-a540-ebbfa6f77eb1	\\x789c558ecb0a833010457f659875e86b55b26b57fd079192d6a909c644e2442be2bf37a952e86eb8f7dcc3cc38a03c0a6ca932eace53472891e9cdfb5685a6f2a343819daaa947e9a2b502d9b0cdd0cd5b53a929d5a30aceb83a11459961d6f92c7e4499d287f5cf26c7333669acd38cff24f6fb86467958c4ca741b7361b846660a2d0582c947d06a20389d212d7bf02fd0ab65879ba05c3e5af8442a	01a22013-f827-74a3-9e91-e0ae03c0651e
01a22015-134b-7440-a626-1718cd85df6a	\\x789c358dd10a833014437f45f25c187bedaf8848d58b16af5de9e2a614ff7d2dcca79c9090647c609f069b4cdef53ca3c08272f011d5f90083e86679c3865dd5809e2ab7f9ba147c984bd876b5c7e58f83bec6b572c65ae6625961d16127256d92a4a90fb8baeb078f012a79	01a22013-f827-74a3-9e91-e0ae03c0651e
\.
COPY public.usage_usageentry (id, at, day, kind, step, subject, bot, api_key, "user", model, requests, tokens_in, tokens_out, tokens_embedded, organisation_id) FROM stdin;
4a8497d9-1f7b-4169-9e99-f106f8875001	2026-11-28 02:55:12.328705+00	2026-11-28	ingest	charge	01a22013-fb66-7717-ab07-075236e5aa12	\N	\N	\N	all-MiniLM-L6-v2	0	0	0	10	01a22013-f675-7610-b54f-ee0643d6e532
4a4fd1db-e178-4b98-aaf4-925a3c37f0aa	2026-11-28 02:55:22.93723+00	2026-11-28	ingest	charge	01a22014-2c44-756e-bc0c-483aca4d002d	\N	\N	\N	all-MiniLM-L6-v2	0	0	0	4	01a22013-f675-7610-b54f-ee0643d6e532
a982bc83-255b-4f05-829a-2368ca05ecbc	2026-11-28 02:55:23.045662+00	2026-11-28	ingest	charge	01a22014-2c61-7656-8789-dbb878bbc9c9	\N	\N	\N	all-MiniLM-L6-v2	0	0	0	6	01a22013-f675-7610-b54f-ee0643d6e532
8dfbd4e5-9a6d-4615-bc6c-51873862b15b	2026-11-28 02:55:23.144334+00	2026-11-28	ingest	charge	01a22014-2c8d-70d7-b85f-299802464ef0	\N	\N	\N	all-MiniLM-L6-v2	0	0	0	8	01a22013-f675-7610-b54f-ee0643d6e532
29b69e21-7cf2-440a-900d-90c9cd9a403c	2026-11-28 02:55:23.242897+00	2026-11-28	ingest	charge	01a22014-2c11-72c9-aa35-212e3732f1c6	\N	\N	\N	all-MiniLM-L6-v2	0	0	0	10	01a22013-f675-7610-b54f-ee0643d6e532
01a22014-590d-74a6-89ef-a353e34def88	2026-11-28 02:55:34.16038+00	2026-11-28	turn	reserve	01a22014-590d-74a6-89ef-a3525477f825	01a22013-fac7-74bc-9b5d-e2498a7b27a5	\N	\N		1	0	0	0	01a22013-f675-7610-b54f-ee0643d6e532
23fd2957-8d70-4fea-8ae4-a8b0940da920	2026-11-28 02:55:34.481008+00	2026-11-28	ingest	charge	01a22014-598c-77d1-a2fc-b15bc88d2e30	\N	\N	\N	all-MiniLM-L6-v2	0	0	0	10	01a22013-f675-7610-b54f-ee0643d6e532
01a22014-8350-75e7-a240-02831daf4972	2026-11-28 02:55:44.976609+00	2026-11-28	search	charge	\N	01a22014-82fe-7693-8d34-60b4d7cfb1ba	\N	\N		1	0	0	0	01a22013-f675-7610-b54f-ee0643d6e532
d9799ee8-c40c-4070-95a9-39f86e3cf452	2026-11-28 02:55:45.321289+00	2026-11-28	ingest	charge	01a22014-82bc-75c5-8fa4-430bb78639d5	\N	\N	\N	all-MiniLM-L6-v2	0	0	0	2	01a22013-f675-7610-b54f-ee0643d6e532
9d406a6d-f00d-4ed3-8854-f9ee619ad5e2	2026-11-28 02:55:45.536306+00	2026-11-28	ingest	charge	01a22014-840c-76dc-a99f-4f55fbdd256c	\N	\N	\N	all-MiniLM-L6-v2	0	0	0	11	01a22013-f827-74a3-9e91-e0ae03c0651e
9eb292cb-457a-4f71-bca3-7c9fd13548b7	2026-11-28 02:55:57.216001+00	2026-11-28	ingest	charge	01a22014-b1ac-727e-8e38-22e3c93c0257	\N	\N	\N	all-MiniLM-L6-v2	0	0	0	4	01a22013-f827-74a3-9e91-e0ae03c0651e
46f814fe-e5de-43af-8e28-ec8ac0be3a46	2026-11-28 02:55:57.258024+00	2026-11-28	ingest	charge	01a22014-b1c4-7003-a732-39771f1e2332	\N	\N	\N	all-MiniLM-L6-v2	0	0	0	7	01a22013-f827-74a3-9e91-e0ae03c0651e
0dfaa2eb-9a77-419e-a870-5d8a51c4452b	2026-11-28 02:55:57.384562+00	2026-11-28	ingest	charge	01a22014-b1e2-707b-8234-891e69fe951e	\N	\N	\N	all-MiniLM-L6-v2	0	0	0	9	01a22013-f827-74a3-9e91-e0ae03c0651e
f8bdb35f-c6f0-412a-b4ce-74d710c3c49c	2026-11-28 02:55:57.545978+00	2026-11-28	ingest	charge	01a22014-b197-7414-9354-d1be6bda35e0	\N	\N	\N	all-MiniLM-L6-v2	0	0	0	11	01a22013-f827-74a3-9e91-e0ae03c0651e
01a22014-e0f9-71ec-ba91-67f90c539a0c	2026-11-28 02:56:08.956381+00	2026-11-28	turn	reserve	01a22014-e0f9-71ec-ba91-67f8a5617d86	01a22014-839b-7211-81de-cdeb6f351c70	\N	\N		1	0	0	0	01a22013-f827-74a3-9e91-e0ae03c0651e
41ae3794-29e0-4f2f-8a1f-e3bc69d2d6d5	2026-11-28 02:56:09.640184+00	2026-11-28	ingest	charge	01a22014-e183-7083-a540-ebbfa6f77eb1	\N	\N	\N	all-MiniLM-L6-v2	0	0	0	11	01a22013-f827-74a3-9e91-e0ae03c0651e
01a22015-1428-73b8-b97c-993c66e6e6fe	2026-11-28 02:56:22.056681+00	2026-11-28	search	charge	\N	01a22015-136e-73ef-8a67-914d1217c688	\N	\N		1	0	0	0	01a22013-f827-74a3-9e91-e0ae03c0651e
\.
COPY public.usage_usagetotal (id, api_key, month, requests, tokens_in, tokens_out, within_cap, organisation_id) FROM stdin;
1	\N	2026-11-01	1	0	0	t	01a22013-f675-7610-b54f-ee0643d6e532
2	\N	2026-11-01	1	0	0	t	01a22013-f827-74a3-9e91-e0ae03c0651e
\.
SELECT pg_catalog.setval('public.auth_group_id_seq', 1, false);
SELECT pg_catalog.setval('public.auth_group_permissions_id_seq', 1, false);
SELECT pg_catalog.setval('public.auth_permission_id_seq', 144, true);
SELECT pg_catalog.setval('public.bots_botsource_id_seq', 2, true);
SELECT pg_catalog.setval('public.django_admin_log_id_seq', 1, false);
SELECT pg_catalog.setval('public.django_content_type_id_seq', 36, true);
SELECT pg_catalog.setval('public.django_migrations_id_seq', 28, true);
SELECT pg_catalog.setval('public.usage_usagetotal_id_seq', 2, true);
ALTER TABLE ONLY public.accounts_apikey
    ADD CONSTRAINT accounts_apikey_key_hash_key UNIQUE (key_hash);
ALTER TABLE ONLY public.accounts_apikey
    ADD CONSTRAINT accounts_apikey_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.accounts_apikey
    ADD CONSTRAINT accounts_apikey_replaced_by_id_key UNIQUE (replaced_by_id);
ALTER TABLE ONLY public.accounts_auditdetail
    ADD CONSTRAINT accounts_auditdetail_pkey PRIMARY KEY (entry_id);
ALTER TABLE ONLY public.accounts_auditentry
    ADD CONSTRAINT accounts_auditentry_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.accounts_audithead
    ADD CONSTRAINT accounts_audithead_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.accounts_claimrule
    ADD CONSTRAINT accounts_claimrule_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.accounts_identity
    ADD CONSTRAINT accounts_identity_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.accounts_invitation
    ADD CONSTRAINT accounts_invitation_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.accounts_invitation
    ADD CONSTRAINT accounts_invitation_token_hash_key UNIQUE (token_hash);
ALTER TABLE ONLY public.accounts_membership
    ADD CONSTRAINT accounts_membership_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.accounts_onetimetoken
    ADD CONSTRAINT accounts_onetimetoken_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.accounts_onetimetoken
    ADD CONSTRAINT accounts_onetimetoken_token_hash_key UNIQUE (token_hash);
ALTER TABLE ONLY public.accounts_organisation
    ADD CONSTRAINT accounts_organisation_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.accounts_organisation
    ADD CONSTRAINT accounts_organisation_slug_key UNIQUE (slug);
ALTER TABLE ONLY public.accounts_plan
    ADD CONSTRAINT accounts_plan_pkey PRIMARY KEY (name);
ALTER TABLE ONLY public.accounts_signin
    ADD CONSTRAINT accounts_signin_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.accounts_signin
    ADD CONSTRAINT accounts_signin_session_key_key UNIQUE (session_key);
ALTER TABLE ONLY public.accounts_user
    ADD CONSTRAINT accounts_user_email_key UNIQUE (email);
ALTER TABLE ONLY public.accounts_user
    ADD CONSTRAINT accounts_user_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.accounts_audithead
    ADD CONSTRAINT audit_head_unique UNIQUE NULLS NOT DISTINCT (organisation_id);
ALTER TABLE ONLY public.accounts_auditentry
    ADD CONSTRAINT audit_number_unique UNIQUE NULLS NOT DISTINCT (organisation_id, number);
ALTER TABLE ONLY public.auth_group
    ADD CONSTRAINT auth_group_name_key UNIQUE (name);
ALTER TABLE ONLY public.auth_group_permissions
    ADD CONSTRAINT auth_group_permissions_group_id_permission_id_0cd325b0_uniq UNIQUE (group_id, permission_id);
ALTER TABLE ONLY public.auth_group_permissions
    ADD CONSTRAINT auth_group_permissions_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.auth_group
    ADD CONSTRAINT auth_group_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.auth_permission
    ADD CONSTRAINT auth_permission_content_type_id_codename_01ab375a_uniq UNIQUE (content_type_id, codename);
ALTER TABLE ONLY public.auth_permission
    ADD CONSTRAINT auth_permission_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.bots_bot
    ADD CONSTRAINT bot_slug_unique UNIQUE (organisation_id, slug);
ALTER TABLE ONLY public.bots_botsource
    ADD CONSTRAINT bot_source_unique UNIQUE (bot_id, source_id);
ALTER TABLE ONLY public.bots_bot
    ADD CONSTRAINT bots_bot_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.bots_botrevision
    ADD CONSTRAINT bots_botrevision_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.bots_botsource
    ADD CONSTRAINT bots_botsource_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.chat_citation
    ADD CONSTRAINT chat_citation_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.chat_conversation
    ADD CONSTRAINT chat_conversation_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.chat_message
    ADD CONSTRAINT chat_message_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.chat_message
    ADD CONSTRAINT chat_message_reply_to_id_key UNIQUE (reply_to_id);
ALTER TABLE ONLY public.ingest_chunk
    ADD CONSTRAINT chunk_position_unique UNIQUE (version_id, "position");
ALTER TABLE ONLY public.accounts_claimrule
    ADD CONSTRAINT claim_rule_unique UNIQUE (organisation_id, claim, value);
ALTER TABLE ONLY public.django_admin_log
    ADD CONSTRAINT django_admin_log_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.django_content_type
    ADD CONSTRAINT django_content_type_app_label_model_76bd3d3b_uniq UNIQUE (app_label, model);
ALTER TABLE ONLY public.django_content_type
    ADD CONSTRAINT django_content_type_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.django_migrations
    ADD CONSTRAINT django_migrations_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.django_session
    ADD CONSTRAINT django_session_pkey PRIMARY KEY (session_key);
ALTER TABLE ONLY public.sources_document
    ADD CONSTRAINT document_bytes_unique UNIQUE (organisation_id, sha256);
ALTER TABLE ONLY public.ingest_embeddingcache
    ADD CONSTRAINT embedding_cache_unique UNIQUE (organisation_id, model, content_hash);
ALTER TABLE ONLY public.accounts_identity
    ADD CONSTRAINT identity_unique UNIQUE (issuer, subject);
ALTER TABLE ONLY public.ingest_chunk
    ADD CONSTRAINT ingest_chunk_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.ingest_embeddingcache
    ADD CONSTRAINT ingest_embeddingcache_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.ingest_job
    ADD CONSTRAINT ingest_job_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.accounts_membership
    ADD CONSTRAINT membership_unique UNIQUE (organisation_id, user_id);
ALTER TABLE ONLY public.privacy_erasure
    ADD CONSTRAINT privacy_erasure_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.privacy_export
    ADD CONSTRAINT privacy_export_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.privacy_retentionrun
    ADD CONSTRAINT privacy_retentionrun_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.bots_botrevision
    ADD CONSTRAINT revision_number_unique UNIQUE (bot_id, number);
ALTER TABLE ONLY public.sources_source
    ADD CONSTRAINT source_name_unique UNIQUE (organisation_id, name);
ALTER TABLE ONLY public.sources_document
    ADD CONSTRAINT sources_document_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.sources_documentversion
    ADD CONSTRAINT sources_documentversion_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.sources_source
    ADD CONSTRAINT sources_source_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.sources_versiontext
    ADD CONSTRAINT sources_versiontext_pkey PRIMARY KEY (version_id);
ALTER TABLE ONLY public.usage_usagetotal
    ADD CONSTRAINT usage_total_unique UNIQUE NULLS NOT DISTINCT (organisation_id, month, api_key);
ALTER TABLE ONLY public.usage_usageentry
    ADD CONSTRAINT usage_usageentry_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.usage_usagetotal
    ADD CONSTRAINT usage_usagetotal_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.sources_documentversion
    ADD CONSTRAINT version_number_unique UNIQUE (document_id, number);
CREATE INDEX accounts_apikey_created_by_id_1b5317c8 ON public.accounts_apikey USING btree (created_by_id);
CREATE INDEX accounts_apikey_family_23f43e0d ON public.accounts_apikey USING btree (family);
CREATE INDEX accounts_apikey_key_hash_da55e15b_like ON public.accounts_apikey USING btree (key_hash varchar_pattern_ops);
CREATE INDEX accounts_apikey_organisation_id_6c27dbba ON public.accounts_apikey USING btree (organisation_id);
CREATE INDEX accounts_apikey_plan_id_2dd40ae9 ON public.accounts_apikey USING btree (plan_id);
CREATE INDEX accounts_apikey_plan_id_2dd40ae9_like ON public.accounts_apikey USING btree (plan_id varchar_pattern_ops);
CREATE INDEX accounts_auditdetail_organisation_id_532e66bb ON public.accounts_auditdetail USING btree (organisation_id);
CREATE INDEX accounts_auditentry_organisation_id_6232edf1 ON public.accounts_auditentry USING btree (organisation_id);
CREATE INDEX accounts_audithead_organisation_id_4276f805 ON public.accounts_audithead USING btree (organisation_id);
CREATE INDEX accounts_claimrule_organisation_id_52852251 ON public.accounts_claimrule USING btree (organisation_id);
CREATE INDEX accounts_identity_user_id_f7ddf146 ON public.accounts_identity USING btree (user_id);
CREATE INDEX accounts_invitation_invited_by_id_94a21efc ON public.accounts_invitation USING btree (invited_by_id);
CREATE INDEX accounts_invitation_organisation_id_b7f9480b ON public.accounts_invitation USING btree (organisation_id);
CREATE INDEX accounts_invitation_token_hash_3d59d75c_like ON public.accounts_invitation USING btree (token_hash varchar_pattern_ops);
CREATE INDEX accounts_membership_organisation_id_98e5c22b ON public.accounts_membership USING btree (organisation_id);
CREATE INDEX accounts_membership_user_id_487fb39e ON public.accounts_membership USING btree (user_id);
CREATE INDEX accounts_onetimetoken_token_hash_7e9fe0c1_like ON public.accounts_onetimetoken USING btree (token_hash varchar_pattern_ops);
CREATE INDEX accounts_onetimetoken_user_id_e210840f ON public.accounts_onetimetoken USING btree (user_id);
CREATE INDEX accounts_organisation_plan_id_f1028901 ON public.accounts_organisation USING btree (plan_id);
CREATE INDEX accounts_organisation_plan_id_f1028901_like ON public.accounts_organisation USING btree (plan_id varchar_pattern_ops);
CREATE INDEX accounts_organisation_slug_43a9054f_like ON public.accounts_organisation USING btree (slug varchar_pattern_ops);
CREATE INDEX accounts_plan_name_f30c5d84_like ON public.accounts_plan USING btree (name varchar_pattern_ops);
CREATE INDEX accounts_signin_session_key_29d63cd7_like ON public.accounts_signin USING btree (session_key varchar_pattern_ops);
CREATE INDEX accounts_signin_user_id_700b4e69 ON public.accounts_signin USING btree (user_id);
CREATE INDEX accounts_user_email_b2644a56_like ON public.accounts_user USING btree (email varchar_pattern_ops);
CREATE INDEX answer_by_day ON public.chat_message USING btree (organisation_id, created) WHERE ((role)::text = 'assistant'::text);
CREATE INDEX audit_by_age ON public.accounts_auditentry USING btree (organisation_id, at DESC);
CREATE INDEX auth_group_name_a6ea08ec_like ON public.auth_group USING btree (name varchar_pattern_ops);
CREATE INDEX auth_group_permissions_group_id_b120cbf9 ON public.auth_group_permissions USING btree (group_id);
CREATE INDEX auth_group_permissions_permission_id_84c5c92e ON public.auth_group_permissions USING btree (permission_id);
CREATE INDEX auth_permission_content_type_id_2f476e4b ON public.auth_permission USING btree (content_type_id);
CREATE INDEX bots_bot_live_revision_id_1a324164 ON public.bots_bot USING btree (live_revision_id);
CREATE INDEX bots_bot_organisation_id_0a7e7d1f ON public.bots_bot USING btree (organisation_id);
CREATE INDEX bots_botrevision_bot_id_c4722be2 ON public.bots_botrevision USING btree (bot_id);
CREATE INDEX bots_botrevision_created_by_id_2ffbbcc4 ON public.bots_botrevision USING btree (created_by_id);
CREATE INDEX bots_botrevision_organisation_id_fe089352 ON public.bots_botrevision USING btree (organisation_id);
CREATE INDEX bots_botsource_bot_id_4e2b0251 ON public.bots_botsource USING btree (bot_id);
CREATE INDEX bots_botsource_organisation_id_1c2c66e5 ON public.bots_botsource USING btree (organisation_id);
CREATE INDEX bots_botsource_source_id_ddbf0d63 ON public.bots_botsource USING btree (source_id);
CREATE INDEX chat_citation_document_id_1e6fab39 ON public.chat_citation USING btree (document_id);
CREATE INDEX chat_citation_message_id_4b8d52d0 ON public.chat_citation USING btree (message_id);
CREATE INDEX chat_citation_organisation_id_b101c31b ON public.chat_citation USING btree (organisation_id);
CREATE INDEX chat_conversation_api_key_id_7fde8ee3 ON public.chat_conversation USING btree (api_key_id);
CREATE INDEX chat_conversation_bot_id_b040df09 ON public.chat_conversation USING btree (bot_id);
CREATE INDEX chat_conversation_organisation_id_7e81e04c ON public.chat_conversation USING btree (organisation_id);
CREATE INDEX chat_conversation_user_id_15357b84 ON public.chat_conversation USING btree (user_id);
CREATE INDEX chat_message_conversation_id_a1207bf4 ON public.chat_message USING btree (conversation_id);
CREATE INDEX chat_message_organisation_id_dc9c5847 ON public.chat_message USING btree (organisation_id);
CREATE INDEX chat_message_revision_id_f83f0dbb ON public.chat_message USING btree (revision_id);
CREATE INDEX conversation_of_key ON public.chat_conversation USING btree (organisation_id, api_key_id, updated DESC);
CREATE INDEX conversation_of_user ON public.chat_conversation USING btree (organisation_id, user_id, updated DESC);
CREATE INDEX django_admin_log_content_type_id_c4bce8eb ON public.django_admin_log USING btree (content_type_id);
CREATE INDEX django_admin_log_user_id_c564eba6 ON public.django_admin_log USING btree (user_id);
CREATE INDEX django_session_expire_date_a5c62663 ON public.django_session USING btree (expire_date);
CREATE INDEX django_session_session_key_c0390e0f_like ON public.django_session USING btree (session_key varchar_pattern_ops);
CREATE INDEX document_by_age ON public.sources_document USING btree (organisation_id, created DESC);
CREATE INDEX document_by_state ON public.sources_document USING btree (organisation_id, state);
CREATE INDEX erasure_by_age ON public.privacy_erasure USING btree (organisation_id, created DESC);
CREATE UNIQUE INDEX erasure_one_open ON public.privacy_erasure USING btree (kind, organisation_id, subject) NULLS NOT DISTINCT WHERE ((state)::text = ANY ((ARRAY['queued'::character varying, 'running'::character varying])::text[]));
CREATE INDEX erasure_open ON public.privacy_erasure USING btree (created) WHERE ((state)::text = ANY ((ARRAY['queued'::character varying, 'running'::character varying])::text[]));
CREATE INDEX export_by_age ON public.privacy_export USING btree (organisation_id, created DESC);
CREATE INDEX export_open ON public.privacy_export USING btree (created) WHERE ((state)::text = ANY ((ARRAY['queued'::character varying, 'running'::character varying])::text[]));
CREATE INDEX ingest_chunk_document_id_172151c6 ON public.ingest_chunk USING btree (document_id);
CREATE INDEX ingest_chunk_organisation_id_12fb4fe5 ON public.ingest_chunk USING btree (organisation_id);
CREATE INDEX ingest_chunk_version_id_a090fee1 ON public.ingest_chunk USING btree (version_id);
CREATE INDEX ingest_embeddingcache_organisation_id_560dde82 ON public.ingest_embeddingcache USING btree (organisation_id);
CREATE INDEX ingest_job_document_id_a812abcb ON public.ingest_job USING btree (document_id);
CREATE INDEX ingest_job_organisation_id_1042d360 ON public.ingest_job USING btree (organisation_id);
CREATE INDEX ingest_job_version_id_2ca829a6 ON public.ingest_job USING btree (version_id);
CREATE UNIQUE INDEX job_one_open_per_document ON public.ingest_job USING btree (document_id) WHERE (((kind)::text = 'ingest'::text) AND ((state)::text = ANY ((ARRAY['queued'::character varying, 'running'::character varying])::text[])));
CREATE INDEX job_open ON public.ingest_job USING btree (state, organisation_id, bytes, id) WHERE ((state)::text = ANY ((ARRAY['queued'::character varying, 'running'::character varying])::text[]));
CREATE UNIQUE INDEX message_idempotent ON public.chat_message USING btree (idempotency_key, organisation_id) WHERE (NOT ((idempotency_key)::text = ''::text));
CREATE INDEX message_in_order ON public.chat_message USING btree (conversation_id, created);
CREATE INDEX message_running ON public.chat_message USING btree (updated) WHERE ((state)::text = 'running'::text);
CREATE INDEX privacy_erasure_organisation_id_7fc16d29 ON public.privacy_erasure USING btree (organisation_id);
CREATE INDEX privacy_export_organisation_id_68a8365b ON public.privacy_export USING btree (organisation_id);
CREATE INDEX privacy_export_person_id_a755057b ON public.privacy_export USING btree (person_id);
CREATE INDEX privacy_export_requested_by_id_dc53d835 ON public.privacy_export USING btree (requested_by_id);
CREATE INDEX privacy_retentionrun_organisation_id_049a2535 ON public.privacy_retentionrun USING btree (organisation_id);
CREATE INDEX retention_by_night ON public.privacy_retentionrun USING btree (night, organisation_id);
CREATE INDEX sign_in_at_provider ON public.accounts_signin USING btree (issuer, provider_session);
CREATE INDEX sources_document_active_version_id_26ceb75d ON public.sources_document USING btree (active_version_id);
CREATE INDEX sources_document_organisation_id_4250f700 ON public.sources_document USING btree (organisation_id);
CREATE INDEX sources_document_source_id_27404748 ON public.sources_document USING btree (source_id);
CREATE INDEX sources_document_uploaded_by_id_7a47aafb ON public.sources_document USING btree (uploaded_by_id);
CREATE INDEX sources_documentversion_document_id_0fd9094c ON public.sources_documentversion USING btree (document_id);
CREATE INDEX sources_documentversion_organisation_id_513d9cf7 ON public.sources_documentversion USING btree (organisation_id);
CREATE INDEX sources_source_organisation_id_ae693751 ON public.sources_source USING btree (organisation_id);
CREATE INDEX sources_versiontext_organisation_id_6f9cc7e1 ON public.sources_versiontext USING btree (organisation_id);
CREATE INDEX usage_by_day ON public.usage_usageentry USING btree (organisation_id, day);
CREATE INDEX usage_of_subject ON public.usage_usageentry USING btree (subject) WHERE (subject IS NOT NULL);
CREATE UNIQUE INDEX usage_reserved_once ON public.usage_usageentry USING btree (subject) WHERE ((step)::text = 'reserve'::text);
CREATE UNIQUE INDEX user_email_unique ON public.accounts_user USING btree (lower((email)::text));
CREATE TRIGGER audit_guard BEFORE DELETE OR UPDATE ON public.accounts_auditdetail FOR EACH ROW EXECUTE FUNCTION public.refdesk_audit_guard();
CREATE TRIGGER audit_guard BEFORE DELETE OR UPDATE ON public.accounts_auditentry FOR EACH ROW EXECUTE FUNCTION public.refdesk_audit_guard();
CREATE TRIGGER audit_guard BEFORE DELETE ON public.accounts_audithead FOR EACH ROW EXECUTE FUNCTION public.refdesk_audit_guard();
ALTER TABLE ONLY public.accounts_apikey
    ADD CONSTRAINT accounts_apikey_created_by_id_1b5317c8_fk_accounts_user_id FOREIGN KEY (created_by_id) REFERENCES public.accounts_user(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.accounts_apikey
    ADD CONSTRAINT accounts_apikey_organisation_id_6c27dbba_fk_accounts_ FOREIGN KEY (organisation_id) REFERENCES public.accounts_organisation(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.accounts_apikey
    ADD CONSTRAINT accounts_apikey_plan_id_2dd40ae9_fk_accounts_plan_name FOREIGN KEY (plan_id) REFERENCES public.accounts_plan(name) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.accounts_apikey
    ADD CONSTRAINT accounts_apikey_replaced_by_id_a73113e4_fk_accounts_apikey_id FOREIGN KEY (replaced_by_id) REFERENCES public.accounts_apikey(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.accounts_auditdetail
    ADD CONSTRAINT accounts_auditdetail_entry_id_9787aa05_fk_accounts_ FOREIGN KEY (entry_id) REFERENCES public.accounts_auditentry(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.accounts_claimrule
    ADD CONSTRAINT accounts_claimrule_organisation_id_52852251_fk_accounts_ FOREIGN KEY (organisation_id) REFERENCES public.accounts_organisation(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.accounts_identity
    ADD CONSTRAINT accounts_identity_user_id_f7ddf146_fk_accounts_user_id FOREIGN KEY (user_id) REFERENCES public.accounts_user(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.accounts_invitation
    ADD CONSTRAINT accounts_invitation_invited_by_id_94a21efc_fk_accounts_user_id FOREIGN KEY (invited_by_id) REFERENCES public.accounts_user(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.accounts_invitation
    ADD CONSTRAINT accounts_invitation_organisation_id_b7f9480b_fk_accounts_ FOREIGN KEY (organisation_id) REFERENCES public.accounts_organisation(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.accounts_membership
    ADD CONSTRAINT accounts_membership_organisation_id_98e5c22b_fk_accounts_ FOREIGN KEY (organisation_id) REFERENCES public.accounts_organisation(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.accounts_membership
    ADD CONSTRAINT accounts_membership_user_id_487fb39e_fk_accounts_user_id FOREIGN KEY (user_id) REFERENCES public.accounts_user(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.accounts_onetimetoken
    ADD CONSTRAINT accounts_onetimetoken_user_id_e210840f_fk_accounts_user_id FOREIGN KEY (user_id) REFERENCES public.accounts_user(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.accounts_organisation
    ADD CONSTRAINT accounts_organisation_plan_id_f1028901_fk_accounts_plan_name FOREIGN KEY (plan_id) REFERENCES public.accounts_plan(name) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.accounts_signin
    ADD CONSTRAINT accounts_signin_user_id_700b4e69_fk_accounts_user_id FOREIGN KEY (user_id) REFERENCES public.accounts_user(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.auth_group_permissions
    ADD CONSTRAINT auth_group_permissio_permission_id_84c5c92e_fk_auth_perm FOREIGN KEY (permission_id) REFERENCES public.auth_permission(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.auth_group_permissions
    ADD CONSTRAINT auth_group_permissions_group_id_b120cbf9_fk_auth_group_id FOREIGN KEY (group_id) REFERENCES public.auth_group(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.auth_permission
    ADD CONSTRAINT auth_permission_content_type_id_2f476e4b_fk_django_co FOREIGN KEY (content_type_id) REFERENCES public.django_content_type(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.bots_bot
    ADD CONSTRAINT bots_bot_live_revision_id_1a324164_fk_bots_botrevision_id FOREIGN KEY (live_revision_id) REFERENCES public.bots_botrevision(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.bots_bot
    ADD CONSTRAINT bots_bot_organisation_id_0a7e7d1f_fk_accounts_organisation_id FOREIGN KEY (organisation_id) REFERENCES public.accounts_organisation(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.bots_botrevision
    ADD CONSTRAINT bots_botrevision_bot_id_c4722be2_fk_bots_bot_id FOREIGN KEY (bot_id) REFERENCES public.bots_bot(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.bots_botrevision
    ADD CONSTRAINT bots_botrevision_created_by_id_2ffbbcc4_fk_accounts_user_id FOREIGN KEY (created_by_id) REFERENCES public.accounts_user(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.bots_botrevision
    ADD CONSTRAINT bots_botrevision_organisation_id_fe089352_fk_accounts_ FOREIGN KEY (organisation_id) REFERENCES public.accounts_organisation(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.bots_botsource
    ADD CONSTRAINT bots_botsource_bot_id_4e2b0251_fk_bots_bot_id FOREIGN KEY (bot_id) REFERENCES public.bots_bot(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.bots_botsource
    ADD CONSTRAINT bots_botsource_organisation_id_1c2c66e5_fk_accounts_ FOREIGN KEY (organisation_id) REFERENCES public.accounts_organisation(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.bots_botsource
    ADD CONSTRAINT bots_botsource_source_id_ddbf0d63_fk_sources_source_id FOREIGN KEY (source_id) REFERENCES public.sources_source(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.chat_citation
    ADD CONSTRAINT chat_citation_document_id_1e6fab39_fk_sources_document_id FOREIGN KEY (document_id) REFERENCES public.sources_document(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.chat_citation
    ADD CONSTRAINT chat_citation_message_id_4b8d52d0_fk_chat_message_id FOREIGN KEY (message_id) REFERENCES public.chat_message(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.chat_citation
    ADD CONSTRAINT chat_citation_organisation_id_b101c31b_fk_accounts_ FOREIGN KEY (organisation_id) REFERENCES public.accounts_organisation(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.chat_conversation
    ADD CONSTRAINT chat_conversation_api_key_id_7fde8ee3_fk_accounts_apikey_id FOREIGN KEY (api_key_id) REFERENCES public.accounts_apikey(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.chat_conversation
    ADD CONSTRAINT chat_conversation_bot_id_b040df09_fk_bots_bot_id FOREIGN KEY (bot_id) REFERENCES public.bots_bot(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.chat_conversation
    ADD CONSTRAINT chat_conversation_organisation_id_7e81e04c_fk_accounts_ FOREIGN KEY (organisation_id) REFERENCES public.accounts_organisation(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.chat_conversation
    ADD CONSTRAINT chat_conversation_user_id_15357b84_fk_accounts_user_id FOREIGN KEY (user_id) REFERENCES public.accounts_user(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.chat_message
    ADD CONSTRAINT chat_message_conversation_id_a1207bf4_fk_chat_conversation_id FOREIGN KEY (conversation_id) REFERENCES public.chat_conversation(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.chat_message
    ADD CONSTRAINT chat_message_organisation_id_dc9c5847_fk_accounts_ FOREIGN KEY (organisation_id) REFERENCES public.accounts_organisation(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.chat_message
    ADD CONSTRAINT chat_message_reply_to_id_afede338_fk_chat_message_id FOREIGN KEY (reply_to_id) REFERENCES public.chat_message(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.chat_message
    ADD CONSTRAINT chat_message_revision_id_f83f0dbb_fk_bots_botrevision_id FOREIGN KEY (revision_id) REFERENCES public.bots_botrevision(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.django_admin_log
    ADD CONSTRAINT django_admin_log_content_type_id_c4bce8eb_fk_django_co FOREIGN KEY (content_type_id) REFERENCES public.django_content_type(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.django_admin_log
    ADD CONSTRAINT django_admin_log_user_id_c564eba6_fk_accounts_user_id FOREIGN KEY (user_id) REFERENCES public.accounts_user(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.ingest_chunk
    ADD CONSTRAINT ingest_chunk_document_id_172151c6_fk_sources_document_id FOREIGN KEY (document_id) REFERENCES public.sources_document(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.ingest_chunk
    ADD CONSTRAINT ingest_chunk_organisation_id_12fb4fe5_fk_accounts_ FOREIGN KEY (organisation_id) REFERENCES public.accounts_organisation(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.ingest_chunk
    ADD CONSTRAINT ingest_chunk_version_id_a090fee1_fk_sources_documentversion_id FOREIGN KEY (version_id) REFERENCES public.sources_documentversion(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.ingest_embeddingcache
    ADD CONSTRAINT ingest_embeddingcach_organisation_id_560dde82_fk_accounts_ FOREIGN KEY (organisation_id) REFERENCES public.accounts_organisation(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.ingest_job
    ADD CONSTRAINT ingest_job_document_id_a812abcb_fk_sources_document_id FOREIGN KEY (document_id) REFERENCES public.sources_document(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.ingest_job
    ADD CONSTRAINT ingest_job_organisation_id_1042d360_fk_accounts_organisation_id FOREIGN KEY (organisation_id) REFERENCES public.accounts_organisation(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.ingest_job
    ADD CONSTRAINT ingest_job_version_id_2ca829a6_fk_sources_documentversion_id FOREIGN KEY (version_id) REFERENCES public.sources_documentversion(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.privacy_export
    ADD CONSTRAINT privacy_export_organisation_id_68a8365b_fk_accounts_ FOREIGN KEY (organisation_id) REFERENCES public.accounts_organisation(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.privacy_export
    ADD CONSTRAINT privacy_export_person_id_a755057b_fk_accounts_user_id FOREIGN KEY (person_id) REFERENCES public.accounts_user(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.privacy_export
    ADD CONSTRAINT privacy_export_requested_by_id_dc53d835_fk_accounts_user_id FOREIGN KEY (requested_by_id) REFERENCES public.accounts_user(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.privacy_retentionrun
    ADD CONSTRAINT privacy_retentionrun_organisation_id_049a2535_fk_accounts_ FOREIGN KEY (organisation_id) REFERENCES public.accounts_organisation(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.sources_document
    ADD CONSTRAINT sources_document_active_version_id_26ceb75d_fk_sources_d FOREIGN KEY (active_version_id) REFERENCES public.sources_documentversion(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.sources_document
    ADD CONSTRAINT sources_document_organisation_id_4250f700_fk_accounts_ FOREIGN KEY (organisation_id) REFERENCES public.accounts_organisation(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.sources_document
    ADD CONSTRAINT sources_document_source_id_27404748_fk_sources_source_id FOREIGN KEY (source_id) REFERENCES public.sources_source(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.sources_document
    ADD CONSTRAINT sources_document_uploaded_by_id_7a47aafb_fk_accounts_user_id FOREIGN KEY (uploaded_by_id) REFERENCES public.accounts_user(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.sources_documentversion
    ADD CONSTRAINT sources_documentvers_document_id_0fd9094c_fk_sources_d FOREIGN KEY (document_id) REFERENCES public.sources_document(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.sources_documentversion
    ADD CONSTRAINT sources_documentvers_organisation_id_513d9cf7_fk_accounts_ FOREIGN KEY (organisation_id) REFERENCES public.accounts_organisation(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.sources_source
    ADD CONSTRAINT sources_source_organisation_id_ae693751_fk_accounts_ FOREIGN KEY (organisation_id) REFERENCES public.accounts_organisation(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.sources_versiontext
    ADD CONSTRAINT sources_versiontext_organisation_id_6f9cc7e1_fk_accounts_ FOREIGN KEY (organisation_id) REFERENCES public.accounts_organisation(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.sources_versiontext
    ADD CONSTRAINT sources_versiontext_version_id_571ef66e_fk_sources_d FOREIGN KEY (version_id) REFERENCES public.sources_documentversion(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE public.accounts_apikey ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.accounts_auditdetail ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.accounts_auditentry ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.accounts_audithead ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.accounts_claimrule ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.accounts_invitation ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.accounts_membership ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.accounts_organisation ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.bots_bot ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.bots_botrevision ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.bots_botsource ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.chat_citation ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.chat_conversation ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.chat_message ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.ingest_chunk ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.ingest_embeddingcache ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.ingest_job ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.privacy_erasure ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.privacy_export ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.privacy_retentionrun ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.sources_document ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.sources_documentversion ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.sources_source ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.sources_versiontext ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant_1 ON public.accounts_apikey USING (((( SELECT current_setting('refdesk.scope'::text, true) AS current_setting) = 'all'::text) OR (organisation_id = ANY (( SELECT public.refdesk_scope() AS refdesk_scope)::uuid[]))));
CREATE POLICY tenant_1 ON public.accounts_auditdetail USING (((( SELECT current_setting('refdesk.scope'::text, true) AS current_setting) = 'all'::text) OR (organisation_id = ANY (( SELECT public.refdesk_scope() AS refdesk_scope)::uuid[]))));
CREATE POLICY tenant_1 ON public.accounts_auditentry USING (((( SELECT current_setting('refdesk.scope'::text, true) AS current_setting) = 'all'::text) OR (organisation_id = ANY (( SELECT public.refdesk_scope() AS refdesk_scope)::uuid[]))));
CREATE POLICY tenant_1 ON public.accounts_audithead USING (((( SELECT current_setting('refdesk.scope'::text, true) AS current_setting) = 'all'::text) OR (organisation_id = ANY (( SELECT public.refdesk_scope() AS refdesk_scope)::uuid[]))));
CREATE POLICY tenant_1 ON public.accounts_claimrule USING (((( SELECT current_setting('refdesk.scope'::text, true) AS current_setting) = 'all'::text) OR (organisation_id = ANY (( SELECT public.refdesk_scope() AS refdesk_scope)::uuid[]))));
CREATE POLICY tenant_1 ON public.accounts_invitation USING (((( SELECT current_setting('refdesk.scope'::text, true) AS current_setting) = 'all'::text) OR (organisation_id = ANY (( SELECT public.refdesk_scope() AS refdesk_scope)::uuid[]))));
CREATE POLICY tenant_1 ON public.accounts_membership USING (((( SELECT current_setting('refdesk.scope'::text, true) AS current_setting) = 'all'::text) OR (organisation_id = ANY (( SELECT public.refdesk_scope() AS refdesk_scope)::uuid[]))));
CREATE POLICY tenant_1 ON public.accounts_organisation USING (((( SELECT current_setting('refdesk.scope'::text, true) AS current_setting) = 'all'::text) OR (id = ANY (( SELECT public.refdesk_scope() AS refdesk_scope)::uuid[]))));
CREATE POLICY tenant_1 ON public.bots_bot USING (((( SELECT current_setting('refdesk.scope'::text, true) AS current_setting) = 'all'::text) OR (organisation_id = ANY (( SELECT public.refdesk_scope() AS refdesk_scope)::uuid[]))));
CREATE POLICY tenant_1 ON public.bots_botrevision USING (((( SELECT current_setting('refdesk.scope'::text, true) AS current_setting) = 'all'::text) OR (organisation_id = ANY (( SELECT public.refdesk_scope() AS refdesk_scope)::uuid[]))));
CREATE POLICY tenant_1 ON public.bots_botsource USING (((( SELECT current_setting('refdesk.scope'::text, true) AS current_setting) = 'all'::text) OR (organisation_id = ANY (( SELECT public.refdesk_scope() AS refdesk_scope)::uuid[]))));
CREATE POLICY tenant_1 ON public.chat_citation USING (((( SELECT current_setting('refdesk.scope'::text, true) AS current_setting) = 'all'::text) OR (organisation_id = ANY (( SELECT public.refdesk_scope() AS refdesk_scope)::uuid[]))));
CREATE POLICY tenant_1 ON public.chat_conversation USING (((( SELECT current_setting('refdesk.scope'::text, true) AS current_setting) = 'all'::text) OR (organisation_id = ANY (( SELECT public.refdesk_scope() AS refdesk_scope)::uuid[]))));
CREATE POLICY tenant_1 ON public.chat_message USING (((( SELECT current_setting('refdesk.scope'::text, true) AS current_setting) = 'all'::text) OR (organisation_id = ANY (( SELECT public.refdesk_scope() AS refdesk_scope)::uuid[]))));
CREATE POLICY tenant_1 ON public.ingest_chunk USING (((( SELECT current_setting('refdesk.scope'::text, true) AS current_setting) = 'all'::text) OR (organisation_id = ANY (( SELECT public.refdesk_scope() AS refdesk_scope)::uuid[]))));
CREATE POLICY tenant_1 ON public.ingest_embeddingcache USING (((( SELECT current_setting('refdesk.scope'::text, true) AS current_setting) = 'all'::text) OR (organisation_id = ANY (( SELECT public.refdesk_scope() AS refdesk_scope)::uuid[]))));
CREATE POLICY tenant_1 ON public.ingest_job USING (((( SELECT current_setting('refdesk.scope'::text, true) AS current_setting) = 'all'::text) OR (organisation_id = ANY (( SELECT public.refdesk_scope() AS refdesk_scope)::uuid[]))));
CREATE POLICY tenant_1 ON public.privacy_erasure USING (((( SELECT current_setting('refdesk.scope'::text, true) AS current_setting) = 'all'::text) OR (organisation_id = ANY (( SELECT public.refdesk_scope() AS refdesk_scope)::uuid[]))));
CREATE POLICY tenant_1 ON public.privacy_export USING (((( SELECT current_setting('refdesk.scope'::text, true) AS current_setting) = 'all'::text) OR (organisation_id = ANY (( SELECT public.refdesk_scope() AS refdesk_scope)::uuid[]))));
CREATE POLICY tenant_1 ON public.privacy_retentionrun USING (((( SELECT current_setting('refdesk.scope'::text, true) AS current_setting) = 'all'::text) OR (organisation_id = ANY (( SELECT public.refdesk_scope() AS refdesk_scope)::uuid[]))));
CREATE POLICY tenant_1 ON public.sources_document USING (((( SELECT current_setting('refdesk.scope'::text, true) AS current_setting) = 'all'::text) OR (organisation_id = ANY (( SELECT public.refdesk_scope() AS refdesk_scope)::uuid[]))));
CREATE POLICY tenant_1 ON public.sources_documentversion USING (((( SELECT current_setting('refdesk.scope'::text, true) AS current_setting) = 'all'::text) OR (organisation_id = ANY (( SELECT public.refdesk_scope() AS refdesk_scope)::uuid[]))));
CREATE POLICY tenant_1 ON public.sources_source USING (((( SELECT current_setting('refdesk.scope'::text, true) AS current_setting) = 'all'::text) OR (organisation_id = ANY (( SELECT public.refdesk_scope() AS refdesk_scope)::uuid[]))));
CREATE POLICY tenant_1 ON public.sources_versiontext USING (((( SELECT current_setting('refdesk.scope'::text, true) AS current_setting) = 'all'::text) OR (organisation_id = ANY (( SELECT public.refdesk_scope() AS refdesk_scope)::uuid[]))));
CREATE POLICY tenant_1 ON public.usage_usageentry USING (((( SELECT current_setting('refdesk.scope'::text, true) AS current_setting) = 'all'::text) OR (organisation_id = ANY (( SELECT public.refdesk_scope() AS refdesk_scope)::uuid[]))));
CREATE POLICY tenant_1 ON public.usage_usagetotal USING (((( SELECT current_setting('refdesk.scope'::text, true) AS current_setting) = 'all'::text) OR (organisation_id = ANY (( SELECT public.refdesk_scope() AS refdesk_scope)::uuid[]))));
ALTER TABLE public.usage_usageentry ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.usage_usagetotal ENABLE ROW LEVEL SECURITY;
