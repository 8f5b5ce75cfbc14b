"""The strategy service by itself: `python -m services.strategy --config FILE`."""

from libs.runtime.process import run_process
from libs.runtime.service import Parts, Service
from libs.runtime.settings import SettingsError
from libs.runtime.spec import ServiceSpec
from services.strategy.domain.registry import UnknownStrategy
from services.strategy.service import make_service
from services.strategy.settings import StrategyProcess


def make_chosen(settings: StrategyProcess, parts: Parts) -> Service:
    """Return the service with the strategies of the settings."""
    try:
        return make_service(settings.strategy, parts)
    except UnknownStrategy as error:
        raise SettingsError(f"strategy.strategies: {error}") from None


SPEC = ServiceSpec("strategy", StrategyProcess, make_chosen, processes="per_partition")

if __name__ == "__main__":
    run_process(SPEC)
