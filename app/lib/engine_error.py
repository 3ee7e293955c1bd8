class EngineError(Exception):
    """An error that stops a start; the text is for the person who starts Refdesk."""
