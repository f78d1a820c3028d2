"""Every exception that llmopt raises on purpose.

* LlmoptError
  + UsageError                the caller's mistake: a wrong argument, a missing slot, sync code on our loop
    - MissingExtraError         a component needs a package that an extra of llmopt installs
    - NotReadyError             a component was used before `index` or `fit`
    - CorpusError               documents that cannot be indexed: none, duplicate ids, not text
    - SampleError               a sample lacks what is needed, or a line of a file does not parse
  + ContractError             a component broke its interface (wrong shape, wrong length, not finite)
  + ModelError                a model call failed for good
    - ModelUnavailableError     no connection, a timeout or a server error, retries included
    - RateLimitError            the provider said "too many requests" until the deadline
    - QuotaError                the account has no credit left: waiting does not help
    - CredentialsError          no key, or a key that the provider does not accept
    - UnknownModelError         the provider has no model of that name
    - ContextOverflowError      the request is longer than the model's context window
    - RequestRejectedError      the provider called the request wrong
    - ModelRefusedError         the model declined to answer
    - OutputCutError            the answer was cut at the token limit
    - ContentFilteredError      the provider's filter removed the answer
    - ModelOutputError          content arrived but does not parse into what was asked
  + BudgetError               a limit on calls, tokens or money does not allow the call
    - UnknownPriceError         money is limited and the model's price is not known
  + StorageError              a file of ours is damaged, locked, or cannot be written
  + TuningError               a fine-tune job failed, was cancelled, or ran out of time

Leaves also inherit the builtin that a reader expects, so `except ValueError` or `except OSError` work.
"""

__all__ = [
    "BudgetError",
    "ContentFilteredError",
    "ContextOverflowError",
    "ContractError",
    "CorpusError",
    "CredentialsError",
    "LlmoptError",
    "MissingExtraError",
    "ModelError",
    "ModelOutputError",
    "ModelRefusedError",
    "ModelUnavailableError",
    "NotReadyError",
    "OutputCutError",
    "QuotaError",
    "RateLimitError",
    "RequestRejectedError",
    "SampleError",
    "StorageError",
    "TuningError",
    "UnknownModelError",
    "UnknownPriceError",
    "UsageError",
]


class LlmoptError(Exception):
    """Base class: `except LlmoptError` catches everything that llmopt raises on purpose."""


class UsageError(LlmoptError, ValueError):
    """The caller's mistake; the message says what came, what was expected and what to do."""


class MissingExtraError(UsageError, ImportError):
    """A component needs a package that is not installed; the message names the extra."""


class NotReadyError(UsageError, RuntimeError):
    """A component was used before it got its data by `index` or `fit`."""


class CorpusError(UsageError):
    """Documents that cannot be indexed: none at all, duplicate ids, a file that is not text."""


class SampleError(UsageError):
    """A sample lacks what a metric needs, or a line of a samples file does not parse."""


class ContractError(LlmoptError, TypeError):
    """A component broke its interface; the message names the component and the hook."""


class ModelError(LlmoptError, RuntimeError):
    """A model call failed for good.

    Attributes:
        retryable: Whether the same request may succeed later.
        retry_after: Seconds that the provider asked to wait, if it said so.
        request_id: The provider's id of the failed request, for its support; empty if none came.
    """

    def __init__(
        self,
        message: str,
        *,
        retryable: bool = False,
        retry_after: float | None = None,
        request_id: str = "",
    ) -> None:
        super().__init__(message)
        self.retryable = retryable
        self.retry_after = retry_after
        self.request_id = request_id


class ModelUnavailableError(ModelError, ConnectionError):
    """No connection, a timeout, or a server error."""


class RateLimitError(ModelError):
    """The provider said "too many requests"."""


class QuotaError(ModelError):
    """The account has no credit left; waiting does not help."""


class CredentialsError(ModelError, PermissionError):
    """There is no key, or the provider does not accept it."""


class UnknownModelError(ModelError, LookupError):
    """The provider has no model of that name."""


class ContextOverflowError(ModelError, ValueError):
    """The request is longer than the model's context window."""


class RequestRejectedError(ModelError, ValueError):
    """The provider called the request wrong.

    Attributes:
        parameter: The parameter that the provider named, or an empty string.
    """

    def __init__(self, message: str, *, parameter: str = "", request_id: str = "") -> None:
        super().__init__(message, request_id=request_id)
        self.parameter = parameter


class ModelRefusedError(ModelError):
    """The model declined to answer; the message carries its words."""


class OutputCutError(ModelError):
    """The answer was cut at the token limit; the message carries its end."""


class ContentFilteredError(ModelError):
    """The provider's filter removed the answer."""


class ModelOutputError(ModelError, ValueError):
    """Content arrived but does not parse into what was asked."""


class BudgetError(LlmoptError, RuntimeError):
    """A limit on calls, tokens or money does not allow the call; nothing was sent."""


class UnknownPriceError(BudgetError, LookupError):
    """Money is limited and the model's price is not known, so the limit could not be kept."""


class StorageError(LlmoptError, OSError):
    """A file of ours is damaged, locked, or cannot be written."""


class TuningError(LlmoptError, RuntimeError):
    """A fine-tune job failed, was cancelled, or ran out of time."""
