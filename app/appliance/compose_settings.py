"""Names of .env that docker-compose.yml reads beside Refdesk's own settings: default and meaning.

The table of docs/install.md and the second half of .env.example are made from it; a test compares them with the file.
Names that end in _IMAGE and _MEMORY mean the same for every service, and are told once.
"""

COMPOSE_NAMES: dict[str, tuple[str, str]] = {
    "COMPOSE_PROFILES": ("", "What else to run: ollama, vllm, gpu, n8n, bugsink, metrics; several with commas"),
    "HTTP_LISTEN": ("127.0.0.1:8000", "Where the proxy takes plain HTTP; 0.0.0.0:80 with a certificate"),
    "HTTPS_LISTEN": ("127.0.0.1:8443", "Where the proxy takes HTTPS; 0.0.0.0:443 with a certificate"),
    "TLS": ("off", "acme: a certificate from Let's Encrypt; files: cert.pem and key.pem in CERTIFICATES; off: none"),
    "CERTIFICATES": ("./compose/certificates", "Folder of cert.pem and key.pem, readable by user 1000, for TLS=files"),
    "TRUSTED_PROXIES": (
        "127.0.0.1/32",
        "Networks of a proxy of yours in front, whose X-Forwarded headers are believed",
    ),
    "GPU": ("", "nvidia or amd: which GPU Ollama and vLLM are given; without it Ollama computes on the processor"),
    "OLLAMA_MODEL": ("qwen2.5:7b", "Model that the profile ollama fetches and answers with"),
    "OLLAMA_CONTEXT": ("8192", "Tokens of context that Ollama serves"),
    "OLLAMA_KEEP_ALIVE": ("24h", "How long Ollama keeps an idle model in memory"),
    "VLLM_MODEL": ("Qwen/Qwen2.5-7B-Instruct", "Model that the profile vllm fetches and answers with"),
    "VLLM_OPTIONS": ("--max-model-len 8192", "More options of vllm serve"),
    "VLLM_OFFLINE": ("0", "1: vLLM asks nobody for the model, which is in its volume already"),
    "EMBEDDINGS_REPLICAS": ("1", "0: another server embeds (REFDESK_EMBEDDINGS_URL)"),
    "KEYCLOAK_REPLICAS": ("1", "0: another provider signs people in (REFDESK_OIDC_ISSUER)"),
    "MINIO_REPLICAS": ("1", "0: files lie at another S3"),
    "OUT_INTERNAL": ("false", "true: web, worker and models have no route out of the box"),
    "N8N_HOST": ("n8n.localhost", "Host name of n8n"),
    "N8N_URL": ("http://n8n.localhost:8000", "Public address of n8n"),
    "BUGSINK_HOST": ("bugsink.localhost", "Host name of Bugsink"),
    "BUGSINK_URL": ("http://bugsink.localhost:8000", "Public address of Bugsink"),
    "BUGSINK_HTTPS": ("false", "true: Bugsink's address is https"),
    "GRAFANA_HOST": ("grafana.localhost", "Host name of Grafana"),
    "GRAFANA_URL": ("http://grafana.localhost:8000", "Public address of Grafana"),
    "PROMETHEUS_RETENTION": ("30d", "How long Prometheus keeps its numbers"),
    "WITH_LIBREOFFICE": ("0", "1: the image is built with LibreOffice, for old Word and PowerPoint files (0.3 GB)"),
    "WITH_OCR": ("1", "0: the image is built without what reads scans and pictures (0.2 GB)"),
    "WITH_SPEECH": ("1", "0: the image is built without what reads recordings (0.4 GB)"),
    "APP_PULL": (
        "never",
        "missing: our two images come from the registry that APP_IMAGE and KEYCLOAK_BUILT_IMAGE name",
    ),
    "BUILD_NETWORK": ("default", "Network of image builds; host where builds need a proxy of the host"),
}
MEANING_OF_IMAGES = "Another image: a mirror's, with a digest, or of your own"
MEANING_OF_MEMORY = "Memory limit"
