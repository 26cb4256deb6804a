import { Module } from '@nestjs/common';
import { DiscoveryModule } from '@nestjs/core';
import { GevTimerMetadataAccessor } from '../timers/gev-timer-metadata.accessor.js';
import { GevTimerExplorer } from '../timers/gev-timer.explorer.js';
import { GevTimerOrchestrator } from '../timers/gev-timer.orchestrator.js';
import { GevTimerRegistry } from '../timers/gev-timer.registry.js';
import { GevBareMethods } from './gev-bare-methods.js';
import { GevHandlerExplorer } from './gev-handler.explorer.js';
import { GevServers } from '../server/gev-servers.js';

/** What an application has once, however many servers its {@link GevModule}s make. */
@Module({
  imports: [DiscoveryModule],
  providers: [
    GevServers,
    GevHandlerExplorer,
    GevBareMethods,
    GevTimerRegistry,
    GevTimerMetadataAccessor,
    GevTimerOrchestrator,
    GevTimerExplorer,
  ],
  exports: [GevServers, GevTimerRegistry],
})
export class GevCoreModule {}
